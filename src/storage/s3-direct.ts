import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { crc32 } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../clock.ts';
import type { S3Limits } from './s3-client.ts';
import { parseS3 } from './s3-location.ts';
import type { S3Settings } from './s3-settings.ts';
import { S3Signer, signedPath } from './s3-signature.ts';

/** What a server answered; status 0 if it did not, so that the request may have been applied or not. */
export interface DirectAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

const NONE: Uint8Array = new Uint8Array();
const NO_ANSWER: DirectAnswer = { status: 0, headers: {} };
/** As a server's refusal: nothing was sent, and so nothing applied. */
const NOT_SENT: DirectAnswer = { status: 400, headers: {} };
const SIGNED_TYPE = 'application/octet-stream';

/**
 * One try of a small request without the SDK, whose own work costs several times as much as the request's: what a catalog does at every commit
 * and load. It neither retries nor explains: whatever is no success is left to the SDK, which asks again. For servers with an endpoint of their own and buckets in
 * the path.
 */
export class DirectS3 {
  readonly #origin: URL;
  readonly #signer: S3Signer;
  readonly #client: S3Client;
  readonly #clock: Clock;
  readonly #limits: S3Limits;
  readonly #agent: HttpAgent | HttpsAgent;

  private constructor(
    origin: URL,
    region: string,
    parts: { readonly client: S3Client; readonly clock: Clock; readonly limits: S3Limits },
  ) {
    this.#origin = origin;
    this.#signer = new S3Signer(region);
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    const sockets = { keepAlive: true, maxSockets: 128 };
    this.#agent = origin.protocol === 'https:' ? new HttpsAgent(sockets) : new HttpAgent(sockets);
  }

  /** Null where only the SDK knows the way: to AWS itself, and to buckets that are part of the host's name. */
  static for(
    settings: S3Settings,
    parts: { readonly client: S3Client; readonly clock: Clock; readonly limits: S3Limits },
  ): DirectS3 | null {
    const { endpoint, region = 'us-east-1', pathStyle = true } = settings;
    if (endpoint === undefined || !pathStyle) return null;
    const origin = new URL(endpoint);
    return origin.pathname === '/' ? new DirectS3(origin, region, parts) : null;
  }

  /** Headers besides those of the body and the signature; names in lower case. */
  put(location: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>): Promise<DirectAnswer> {
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(bytes));
    const own = { 'content-type': SIGNED_TYPE, 'x-amz-checksum-crc32': checksum.toString('base64') };
    return this.#send('PUT', location, { ...headers, ...own, 'content-length': `${bytes.length}` }, bytes);
  }

  head(location: string): Promise<DirectAnswer> {
    return this.#send('HEAD', location, {}, NONE);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(
    method: string,
    location: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
  ): Promise<DirectAnswer> {
    const path = signedPath(parseS3(location));
    // Without credentials the SDK says what is missing.
    const keys = await this.#client.config.credentials().catch(() => null);
    if (keys === null) return NOT_SENT;
    const unsigned = { method, path, headers: { ...headers, host: this.#origin.host }, body };
    const { promise, resolve } = Promise.withResolvers<DirectAnswer>();
    const ask = this.#origin.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = ask({
      agent: this.#agent,
      host: this.#origin.hostname.replace(/^\[|\]$/g, ''),
      port: this.#origin.port,
      method,
      path,
      headers: this.#signer.sign(unsigned, keys, this.#clock.now()),
      timeout: this.#limits.silenceMs,
    });
    request.on('response', (answer) => {
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }));
      answer.on('close', () => resolve(NO_ANSWER));
      answer.resume();
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(NO_ANSWER));
    request.end(body);
    return promise;
  }
}
