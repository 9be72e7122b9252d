import { createHash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { encodeName } from '../../src/storage/s3-location.ts';
import { type ObjectAddress, unclear } from './object-address.ts';
import type { ObjectAccess, RequestToSign } from './signable-request.ts';

/** Keys that a request is signed with. */
export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** REST spec: `RemoteSignResult`. The headers are those that the signer adds or changes. */
export interface SignedRequest {
  readonly uri: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/** Headers that SDKs and proxies change between signing and sending. */
const CHANGED_ON_THE_WAY = new Set([
  'accept-encoding',
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'amz-sdk-retry',
  'content-length',
]);
/** What the signer makes itself. */
const OWN = ['authorization', 'x-amz-date', 'x-amz-security-token', 'host'];
const HASH = 'x-amz-content-sha256';
/** Bodies that are not hashed, or that the client hashes itself. A chunk that is signed would need the key. */
const HASHES = /^(?:[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER)$/;

/** Signs what `objectAccess` read and the caller may do (SigV4 for S3). Errors: `invalid-argument` for a body hash that is none. */
export async function signRequest(
  request: RequestToSign,
  access: ObjectAccess,
  keys: SigningKeys,
  nowMs: number,
): Promise<SignedRequest> {
  const { address } = access;
  const hash = bodyHash(request, access);
  const given = Object.entries(request.headers).filter(([name]) => !OWN.includes(name));
  const signer = new SignatureV4({
    service: 's3',
    region: address.region,
    credentials: keys,
    sha256: Sha256,
    // S3 takes the path as it is: encoded once.
    uriEscapePath: false,
    applyChecksum: true,
  });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: `${address.uri.protocol}:`,
      hostname: address.uri.host,
      path: address.path,
      query: Object.fromEntries(address.query),
      headers: { ...Object.fromEntries(given), host: address.uri.host, [HASH]: hash },
    },
    { signingDate: new Date(nowMs), unsignableHeaders: CHANGED_ON_THE_WAY },
  );
  const made = Object.entries(signed.headers).filter(
    ([name, value]) => name !== 'host' && request.headers[name] !== value,
  );
  return {
    uri: uriOf(address),
    headers: Object.fromEntries(made.map(([name, value]) => [name, [value]])),
  };
}

function bodyHash(request: RequestToSign, { bindsBody }: ObjectAccess): string {
  if (bindsBody)
    return createHash('sha256')
      .update(request.body ?? '')
      .digest('hex');
  const hash = request.headers[HASH] ?? 'UNSIGNED-PAYLOAD';
  if (!HASHES.test(hash)) throw unclear(`${HASH} ${hash} is no hash of a body`);
  return hash;
}

function uriOf({ uri, path, query }: ObjectAddress): string {
  const parameters = [...query].map(([name, value]) =>
    value === '' ? encodeName(name) : `${encodeName(name)}=${encodeName(value)}`,
  );
  const tail = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  return `${uri.protocol}://${uri.host}${path}${tail}`;
}
