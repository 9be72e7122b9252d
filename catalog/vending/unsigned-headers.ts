import { LakeError } from '../../src/errors.ts';
import { encodeName } from '../../src/storage/s3-location.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import { addressOn, rawUri } from './object-address.ts';
import type { OwnFolder } from './own-folders.ts';
import { type SigningKeys, signRequest } from './sign-request.ts';

const SILENCE_MS = 15_000;
const UNSIGNED = { 'x-amz-copy-source': 'lakewarden/unsigned' };

/**
 * Makes sure that a server refuses requests with `x-amz-…` headers that were not signed, as AWS does. MinIO takes them: whoever has a PUT signed for an
 * object of theirs could add `x-amz-copy-source` and get at any object that the signing keys can read.
 *
 * A listing is sent twice, without and with such a header. Errors: `invalid-argument` for a server that answers both; `unavailable` if it does
 * not answer the first.
 */
export async function requireSignedHeaders(
  settings: S3Settings,
  keys: SigningKeys,
  folder: OwnFolder,
  nowMs: number,
): Promise<void> {
  const uri = listingOf(settings, folder);
  const request = { method: 'GET', uri, region: settings.region ?? 'us-east-1', headers: {} };
  const address = addressOn(rawUri(uri), settings, request.region);
  const access = { right: 'read', address, keys: [], bindsBody: false } as const;
  const signed = await signRequest(request, access, keys, nowMs);
  const headers = Object.fromEntries(
    Object.entries(signed.headers).map(([name, values]) => [name, values.join(',')]),
  );
  const plain = await statusOf(signed.uri, headers);
  if (plain >= 300) throw notTried(folder, `HTTP ${plain}`);
  if ((await statusOf(signed.uri, { ...headers, ...UNSIGNED })) >= 400) return;
  throw new LakeError(
    'invalid-argument',
    'The S3 server takes headers that were not signed: the catalog signs nothing for it',
    {
      where: folder.location,
      hint: 'By such a header a client could copy objects of other tables. Give clients credentials instead: write "sts" under "storage" in lake.yaml; with it signatures are safe, too.',
    },
  );
}

function listingOf({ endpoint, region, pathStyle }: S3Settings, { bucket, key }: OwnFolder): string {
  const query = `?list-type=2&max-keys=1&prefix=${encodeName(key)}%2F`;
  if (endpoint === undefined) return `https://${bucket}.s3.${region ?? 'us-east-1'}.amazonaws.com/${query}`;
  const base = endpoint.replace(/\/+$/, '');
  return pathStyle === false
    ? `${base.replace('://', `://${bucket}.`)}/${query}`
    : `${base}/${bucket}${query}`;
}

async function statusOf(uri: string, headers: Readonly<Record<string, string>>): Promise<number> {
  try {
    const answer = await fetch(uri, { headers, redirect: 'manual', signal: AbortSignal.timeout(SILENCE_MS) });
    await answer.arrayBuffer();
    return answer.status;
  } catch (cause) {
    throw new LakeError('unavailable', `The S3 server does not answer at ${new URL(uri).host}`, {
      hint: 'Nothing was signed: check the endpoint under "storage" in lake.yaml, then try again.',
      cause,
    });
  }
}

function notTried({ location }: OwnFolder, why: string): LakeError {
  return new LakeError(
    'unavailable',
    `The catalog cannot list ${location} (${why}), and so not try what its server checks`,
    {
      where: location,
      hint: 'Nothing was signed: grant the keys under "storage" in lake.yaml the right to list the bucket.',
    },
  );
}
