import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { encodeName, type S3Location } from './s3-location.ts';

/** Keys as the AWS SDK's credential providers give them. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A request before it is signed; header names in lower case. */
export interface UnsignedRequest {
  readonly method: string;
  /** As it stands in the request line: percent-encoded, without a query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const NO_BODY = hash('sha256', '');

/**
 * Signs requests to one region by AWS Signature Version 4 in headers (AWS's documentation: "Authenticating Requests: Using the
 * Authorization Header"); the body is part of what is signed. A day's signing key is derived once.
 */
export class S3Signer {
  readonly #region: string;
  #derivedFor = '';
  #key: KeyObject = createSecretKey(Buffer.alloc(1));

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers to send: those of the request and the signature's. `nowMs`: wall clock. */
  sign(request: UnsignedRequest, keys: S3Keys, nowMs: number): Record<string, string> {
    const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
    const digest = request.body.length === 0 ? NO_BODY : sha256(request.body);
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-content-sha256': digest,
      'x-amz-date': time,
      ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
    };
    const names = Object.keys(headers).sort();
    const signed = names.join(';');
    const lines = names.map((name) => `${name}:${headers[name]?.trim()}\n`).join('');
    const canonical = `${request.method}\n${request.path}\n\n${lines}\n${signed}\n${digest}`;
    const scope = `${time.slice(0, 8)}/${this.#region}/s3/aws4_request`;
    const text = `${ALGORITHM}\n${time}\n${scope}\n${sha256(canonical)}`;
    const signature = createHmac('sha256', this.#signingKey(keys, time.slice(0, 8))).update(text);
    headers['authorization'] =
      `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature.digest('hex')}`;
    return headers;
  }

  #signingKey({ secretAccessKey }: S3Keys, day: string): KeyObject {
    const derivedFor = `${day}\n${secretAccessKey}`;
    if (this.#derivedFor !== derivedFor) {
      const parts = [day, this.#region, 's3', 'aws4_request'];
      const derived = parts.reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
      // Made once: making it of bytes takes longer than signing with it.
      this.#key = createSecretKey(derived);
      this.#derivedFor = derivedFor;
    }
    return this.#key;
  }
}

/** The path of an object with its bucket in front, percent-encoded as the signature wants it. */
export function signedPath({ bucket, key }: S3Location): string {
  return `/${bucket}/${key}`.split('/').map(encodeName).join('/');
}

function sha256(data: string | Uint8Array): string {
  return hash('sha256', data);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
