import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Clock } from '../clock.ts';
import { LakeError } from '../errors.ts';
import type { CopyOptions, ObjectHead, ObjectStore, PutOptions, ThawOptions } from './object-store.ts';
import { archiveState, requestThaw } from './s3-archive.ts';
import { DEFAULT_LIMITS, type S3Limits, s3Client } from './s3-client.ts';
import { type DirectAnswer, DirectS3 } from './s3-direct.ts';
import {
  fromS3Error,
  isFailedCondition,
  isMissing,
  isUncertain,
  s3Attempts,
  s3Code,
  s3Status,
} from './s3-errors.ts';
import { copySource, parseS3, s3Location } from './s3-location.ts';
import { abortUploadsBefore, copyParts, inParts, storageClassOf, uploadParts } from './s3-multipart.ts';
import type { S3Settings } from './s3-settings.ts';
import { alreadyExists, changedSince, isThere } from './storage-errors.ts';

const MIB = 1024 * 1024;
const MAX_DIRECT_BYTES = 8 * MIB;
const DELETES_PER_REQUEST = 1000;
/** How often a put that met another one of the same name at the same moment is tried again (HTTP 409). */
const RACE_ATTEMPTS = 8;
/** Names the request that made an object, so that it is known again when its answer was lost. */
const REQUEST_KEY = 'lake-request';

export interface S3StoreOptions {
  readonly settings: S3Settings;
  readonly clock: Clock;
  readonly limits?: Partial<S3Limits>;
  /** Bytes of a part of an upload; at least 5 MiB on most servers. */
  readonly partSize?: number;
  /** Larger objects are copied in parts of `copyPartSize` bytes; S3's own limit is 5 GiB. */
  readonly maxSingleCopy?: number;
  readonly copyPartSize?: number;
}

/**
 * Objects of an S3 server by `s3://bucket/key` locations with raw keys. See `ObjectStore` for the promises. Besides its errors:
 * `forbidden` for credentials and rights, `invalid-argument` for a storage class that the server does not have.
 */
export class S3Store implements ObjectStore {
  readonly #client: S3Client;
  /** The first try of small requests; null where there is none. */
  readonly #direct: DirectS3 | null;
  readonly #clock: Clock;
  readonly #attempts: number;
  readonly #partSize: number;
  readonly #maxSingleCopy: number;
  readonly #copyPartSize: number;

  constructor(options: S3StoreOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#client = s3Client(options.settings, limits);
    this.#direct = DirectS3.for(options.settings, { client: this.#client, clock: options.clock, limits });
    this.#clock = options.clock;
    this.#attempts = limits.attempts;
    this.#partSize = options.partSize ?? 16 * MIB;
    // Below S3's 5 GiB: a server is silent while it copies, and parts are copied side by side.
    this.#maxSingleCopy = options.maxSingleCopy ?? 1024 * MIB;
    this.#copyPartSize = options.copyPartSize ?? 256 * MIB;
  }

  async get(location: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array> {
    if (range !== undefined && range.end <= range.start) {
      await this.head(location);
      return new Uint8Array();
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#read(location, range?.start ?? 0, range?.end)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  stream(location: string): AsyncIterable<Uint8Array> {
    return this.#read(location, 0, undefined);
  }

  async put(location: string, bytes: Uint8Array, options: PutOptions = {}): Promise<ObjectHead> {
    const { bucket: Bucket, key: Key } = parseS3(location);
    const request = this.#clock.uuid();
    const tried = await this.#putDirectly(location, bytes, options, request);
    if (tried !== null && tried.status === 200) {
      return {
        location,
        size: bytes.length,
        lastModifiedMs: this.#clock.now(),
        etag: tried.headers.etag ?? '',
      };
    }
    const mayBeThere = tried !== null && (tried.status === 0 || tried.status >= 500);
    const command = {
      Bucket,
      Key,
      Body: bytes,
      Metadata: { [REQUEST_KEY]: request },
      ...storageClassOf(options.storageClass),
      ...(options.if === 'absent' ? { IfNoneMatch: '*' } : {}),
      ...(typeof options.if === 'object' ? { IfMatch: options.if.etag } : {}),
    };
    for (let attempt = 1; ; attempt++) {
      try {
        const done = await this.#client.send(new PutObjectCommand(command));
        return { location, size: bytes.length, lastModifiedMs: this.#clock.now(), etag: done.ETag ?? '' };
      } catch (error) {
        const own = await this.#madeAllTheSame(error, location, request, mayBeThere);
        if (own !== null) return own;
        if (s3Status(error) !== 409 || attempt === RACE_ATTEMPTS) throw putError(error, location, options);
        await this.#clock.sleep(attempt * (20 + 40 * this.#clock.random()));
      }
    }
  }

  async upload(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    options: CopyOptions = {},
  ): Promise<ObjectHead> {
    const parts = inParts(chunks, this.#partSize)[Symbol.asyncIterator]();
    const first = await parts.next();
    const second = first.done ? first : await parts.next();
    if (second.done) return this.put(location, first.value ?? new Uint8Array(), { ...options, if: 'absent' });
    if (await this.exists(location)) throw alreadyExists(location);
    const all = async function* (): AsyncIterable<Uint8Array> {
      yield first.value;
      yield second.value;
      yield* { [Symbol.asyncIterator]: () => parts };
    };
    return this.#newInParts(location, options, (target) => uploadParts(this.#client, target, all()));
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<ObjectHead> {
    const source = await this.head(from);
    if (await this.exists(to)) throw alreadyExists(to);
    const origin = { ...parseS3(from), size: source.size, etag: source.etag };
    if (source.size > this.#maxSingleCopy) {
      return this.#newInParts(to, options, (target) =>
        copyParts(this.#client, origin, target, this.#copyPartSize),
      );
    }
    const { bucket: Bucket, key: Key } = parseS3(to);
    try {
      await this.#client.send(
        new CopyObjectCommand({
          Bucket,
          Key,
          CopySource: copySource(origin),
          CopySourceIfMatch: source.etag,
          IfNoneMatch: '*',
          // The new object's checksum is computed anew, not taken over.
          ChecksumAlgorithm: 'CRC32',
          MetadataDirective: 'COPY',
          ...storageClassOf(options.storageClass),
        }),
      );
    } catch (error) {
      if (!isFailedCondition(error)) throw fromS3Error(error, to);
      if (!(await this.exists(to))) throw changedSince(from);
      // Either way the name is taken: by another, or by this request whose first answer was lost. The caller compares.
      throw alreadyExists(to, error);
    }
    return this.head(to);
  }

  async head(location: string): Promise<ObjectHead> {
    return headOf(location, await this.#headObject(location));
  }

  async exists(location: string): Promise<boolean> {
    const tried = await this.#direct?.head(location);
    return tried?.status === 200 || isThere(this.head(location));
  }

  async *list(
    prefix: string,
    options: { readonly pageSize?: number } = {},
  ): AsyncIterable<readonly ObjectHead[]> {
    const { bucket: Bucket, key: Prefix } = parseS3(prefix);
    let token: string | undefined;
    do {
      const page = await this.#listPage(prefix, {
        Bucket,
        Prefix,
        MaxKeys: options.pageSize ?? 1000,
        EncodingType: 'url',
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const named = page.EncodingType === 'url' ? unescapedKey : (key: string) => key;
      const heads = (page.Contents ?? []).map((item) => ({
        location: s3Location(prefix, Bucket, named(item.Key ?? '')),
        size: item.Size ?? 0,
        lastModifiedMs: item.LastModified?.getTime() ?? 0,
        etag: item.ETag ?? '',
      }));
      if (heads.length > 0) yield heads;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(locations: readonly string[]): Promise<void> {
    const byBucket = Map.groupBy(locations, (location) => parseS3(location).bucket);
    for (const [bucket, own] of byBucket) {
      for (let at = 0; at < own.length; at += DELETES_PER_REQUEST) {
        await this.#deleteBatch(bucket, own.slice(at, at + DELETES_PER_REQUEST));
      }
    }
  }

  async restore(location: string, options: ThawOptions): Promise<void> {
    try {
      await requestThaw(this.#client, location, await this.#headObject(location), options);
    } catch (error) {
      throw fromS3Error(error, location);
    }
  }

  async checksum(location: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.stream(location)) hash.update(chunk);
    return hash.digest('hex');
  }

  /**
   * Gives up multipart uploads below a prefix that were begun before a time (ms): what killed processes left behind.
   *
   * @returns how many there were
   */
  async abortUploads(prefix: string, initiatedBeforeMs: number): Promise<number> {
    try {
      return await abortUploadsBefore(this.#client, prefix, initiatedBeforeMs);
    } catch (error) {
      throw fromS3Error(error, prefix);
    }
  }

  close(): void {
    this.#direct?.close();
    this.#client.destroy();
  }

  /** Null for what only the SDK sends: large bodies, which it can send by a slow line too, and storage classes. */
  async #putDirectly(
    location: string,
    bytes: Uint8Array,
    { if: condition, storageClass }: PutOptions,
    request: string,
  ): Promise<DirectAnswer | null> {
    if (this.#direct === null || bytes.length > MAX_DIRECT_BYTES || storageClass !== undefined) return null;
    return this.#direct.put(location, bytes, {
      [`x-amz-meta-${REQUEST_KEY}`]: request,
      ...(condition === 'absent' ? { 'if-none-match': '*' } : {}),
      ...(typeof condition === 'object' ? { 'if-match': condition.etag } : {}),
    });
  }

  async #headObject(location: string): Promise<HeadObjectCommandOutput> {
    const { bucket: Bucket, key: Key } = parseS3(location);
    try {
      return await this.#client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    } catch (error) {
      throw fromS3Error(error, location);
    }
  }

  async #listPage(prefix: string, input: ConstructorParameters<typeof ListObjectsV2Command>[0]) {
    try {
      return await this.#client.send(new ListObjectsV2Command(input));
    } catch (error) {
      throw fromS3Error(error, prefix);
    }
  }

  async #deleteBatch(bucket: string, locations: readonly string[]): Promise<void> {
    const first = locations[0] ?? '';
    const Objects = locations.map((location) => ({ Key: parseS3(location).key }));
    try {
      const done = await this.#client.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      );
      const failed = (done.Errors ?? []).filter((error) => error.Code !== 'NoSuchKey');
      const [one] = failed;
      if (one === undefined) return;
      throw new LakeError(
        one.Code === 'AccessDenied' ? 'forbidden' : 'unavailable',
        `${failed.length} of ${locations.length} objects could not be deleted: ${one.Code ?? ''} ${one.Message ?? ''}`,
        {
          where: s3Location(first, bucket, one.Key ?? ''),
          hint: 'The others are gone; run the command again.',
        },
      );
    } catch (error) {
      throw fromS3Error(error, first);
    }
  }

  /** Bytes from `start` up to `end`. Where a body breaks off, it goes on behind the last byte that came, of the same object. */
  async *#read(location: string, start: number, end: number | undefined): AsyncIterable<Uint8Array> {
    let position = start;
    let last = Number.POSITIVE_INFINITY;
    let etag: string | undefined;
    for (let failures = 0; position < last; ) {
      try {
        const answer = await this.#getObject(location, position, end, etag);
        etag ??= answer.ETag;
        last = position + (answer.ContentLength ?? 0);
        for await (const chunk of bodyOf(answer.Body)) {
          position += chunk.length;
          yield chunk;
        }
        if (position < last) throw new Error('the connection closed in the middle of the object');
      } catch (error) {
        if (s3Status(error) === 416) return;
        if (isFailedCondition(error)) throw changedSince(location);
        if (s3Status(error) !== 0 || !isBrokenBody(error) || ++failures >= this.#attempts) {
          throw fromS3Error(error, location);
        }
        await this.#clock.sleep(2 ** failures * 25 * (1 + this.#clock.random()));
      }
    }
  }

  async #getObject(location: string, start: number, end: number | undefined, etag: string | undefined) {
    const { bucket: Bucket, key: Key } = parseS3(location);
    const whole = start === 0 && end === undefined;
    return this.#client.send(
      new GetObjectCommand({
        Bucket,
        Key,
        ...(whole ? {} : { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` }),
        ...(etag === undefined ? {} : { IfMatch: etag }),
      }),
    );
  }

  /** A new object of parts, known again if the answer to its completion is lost. */
  async #newInParts(
    location: string,
    { storageClass }: CopyOptions,
    make: (target: Parameters<typeof uploadParts>[1]) => Promise<void>,
  ): Promise<ObjectHead> {
    const request = this.#clock.uuid();
    const target = {
      ...parseS3(location),
      metadata: { [REQUEST_KEY]: request },
      ...(storageClass === undefined ? {} : { storageClass }),
    };
    try {
      await make(target);
    } catch (error) {
      const own = await this.#madeAllTheSame(error, location, request);
      if (own === null) throw putError(error, location, { if: 'absent' });
      return own;
    }
    return this.head(location);
  }

  /**
   * The object of a request that seems to have failed but was applied: the answer was lost, or a retry met
   * the object of its own first try (HTTP 412, or an upload that is completed already). Null if it is not there.
   */
  async #madeAllTheSame(
    error: unknown,
    location: string,
    request: string,
    triedBefore = false,
  ): Promise<ObjectHead | null> {
    if (error instanceof LakeError) return null;
    const retried =
      (triedBefore || s3Attempts(error) > 1) &&
      (isFailedCondition(error) || s3Code(error) === 'NoSuchUpload');
    if (!retried && !isUncertain(error)) return null;
    try {
      const found = await this.#headObject(location);
      return found.Metadata?.[REQUEST_KEY] === request ? headOf(location, found) : null;
    } catch {
      // Nothing was learnt: the first error is the one to report.
      return null;
    }
  }
}

async function* bodyOf(body: unknown): AsyncIterable<Uint8Array> {
  if (!(body instanceof Readable)) return;
  for await (const chunk of body) yield chunk;
}

/** True for an error of the connection, also one in the middle of a body; not of the SDK's own doing, such as missing credentials. */
function isBrokenBody(error: unknown): boolean {
  const isOwn = error instanceof LakeError || s3Code(error) === 'CredentialsProviderError';
  return error instanceof Error && !isOwn && !('$metadata' in error);
}

function putError(error: unknown, location: string, options: PutOptions): LakeError {
  if (typeof options.if === 'object' && (isFailedCondition(error) || isMissing(error))) {
    return changedSince(location);
  }
  return isFailedCondition(error) ? alreadyExists(location, error) : fromS3Error(error, location);
}

function headOf(location: string, found: HeadObjectCommandOutput): ObjectHead {
  const checksum = fullChecksum(found);
  const archive = archiveState(found);
  return {
    location,
    size: found.ContentLength ?? 0,
    lastModifiedMs: found.LastModified?.getTime() ?? 0,
    etag: found.ETag ?? '',
    ...(checksum === undefined ? {} : { checksum }),
    ...(archive === undefined ? {} : { archive }),
  };
}

/** A checksum of checksums of parts says nothing of another object with other parts: only whole ones count. */
function fullChecksum(found: HeadObjectCommandOutput): string | undefined {
  if (found.ChecksumType !== 'FULL_OBJECT') return undefined;
  if (found.ChecksumSHA256 !== undefined) return `sha256:${found.ChecksumSHA256}`;
  if (found.ChecksumCRC64NVME !== undefined) return `crc64nvme:${found.ChecksumCRC64NVME}`;
  if (found.ChecksumCRC32C !== undefined) return `crc32c:${found.ChecksumCRC32C}`;
  return found.ChecksumCRC32 === undefined ? undefined : `crc32:${found.ChecksumCRC32}`;
}

/** Keys in listings are form-encoded: a space comes as `+`. */
const unescapedKey = (key: string): string => decodeURIComponent(key.replaceAll('+', '%20'));
