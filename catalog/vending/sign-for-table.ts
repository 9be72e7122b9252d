import { LakeError } from '../../src/errors.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import type { CatalogContext } from '../service/context.ts';
import { isOn, rawUri } from './object-address.ts';
import { coversListing, liesIn, type NamedTable, type OwnFolder } from './own-folders.ts';
import { serverKey } from './s3-servers.ts';
import type { SignedRequest } from './sign-request.ts';
import { notSigned, type ObjectAccess, objectAccess, type RequestToSign } from './signable-request.ts';
import type { Vending } from './vending.ts';

export interface SigningRequest extends RequestToSign {
  readonly provider: string;
  /** Asked before a request that changes objects is signed. Errors: `forbidden`. */
  readonly mayWrite: () => Promise<void>;
}

/**
 * Signs a request to S3 if all that it touches lies in the table's own folders and the caller may do that. With an STS server the session keys of the
 * table sign, which open no more than that; else the lake's own.
 * Errors: `forbidden`, `invalid-argument` for a request that could be read in more than one way.
 */
export async function signForTable(
  { vending, clock }: Pick<CatalogContext, 'vending' | 'clock'>,
  named: NamedTable,
  request: SigningRequest,
): Promise<SignedRequest> {
  if (request.provider !== 's3') throw notSigned(`requests to ${request.provider}`);
  const settings = serverOf(vending, request);
  const access = objectAccess(request, settings);
  const folders = (await vending.foldersOf(named)).filter(
    ({ location }) => serverKey(vending.servers.of(location) ?? {}) === serverKey(settings),
  );
  requireOwn(access, folders);
  if (access.right === 'write') await request.mayWrite();
  const keys = await vending.signingKeys(settings, named, folders, access.right);
  const { signRequest } = await import('./sign-request.ts');
  return signRequest(request, access, keys, clock.now());
}

function serverOf(vending: Vending, { uri, region }: RequestToSign): S3Settings {
  const raw = rawUri(uri);
  const settings = vending.servers.all.find((one) => isOn(raw, one, one.region ?? region));
  if (settings !== undefined) return settings;
  throw new LakeError('forbidden', `The catalog does not sign requests to ${raw.host}`, {
    hint: 'It signs requests to the S3 servers of the lake, under the addresses that it gives to clients.',
  });
}

function requireOwn({ address, keys, listed, copied }: ObjectAccess, folders: readonly OwnFolder[]): void {
  const { bucket } = address;
  const foreign = keys.find((key) => !liesIn(folders, bucket, key));
  if (foreign !== undefined) throw outside(`s3://${bucket}/${foreign}`);
  if (listed !== undefined && !coversListing(folders, bucket, listed))
    throw outside(`s3://${bucket}/${listed}`);
  if (copied !== undefined && !liesIn(folders, copied.bucket, copied.key)) {
    throw outside(`s3://${copied.bucket}/${copied.key}`);
  }
}

function outside(location: string): LakeError {
  return new LakeError('forbidden', `${location} is none of the table's own objects`, {
    where: location,
    hint: 'Nothing was signed.',
  });
}
