import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  ListMultipartUploadsCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { LakeError } from '../errors.ts';
import { isMissing, s3Code } from './s3-errors.ts';
import { copySource, parseS3, type S3Location } from './s3-location.ts';

/** Parts under way at once: memory holds one more than these. */
const PARTS_AT_ONCE = 4;
/** S3 takes 10,000 parts: past this many they grow, for streams of unknown length. */
const PARTS_BEFORE_GROWTH = 5000;
const GROWTH = 8;

/** A new object that is made of parts. */
export interface MultipartTarget extends S3Location {
  readonly storageClass?: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Uploads one part; gets its number, from 1. */
type SendPart = (uploadId: string, number: number) => Promise<CompletedPart>;

/** Makes an object of chunks, in parts of `partSize` bytes; at most a few parts are in memory. */
export function uploadParts(
  client: S3Client,
  target: MultipartTarget,
  parts: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { bucket: Bucket, key: Key } = target;
  // One checksum over the whole object, so that copies can be compared by it.
  const checksum = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
  return assemble(client, target, checksum, async function* (): AsyncIterable<SendPart> {
    for await (const Body of parts) {
      yield async (UploadId, PartNumber) => {
        const part = { Bucket, Key, UploadId, PartNumber };
        const sent = await client.send(new UploadPartCommand({ ...part, Body, ChecksumAlgorithm: 'CRC32' }));
        return { PartNumber, ...pick(sent.ETag, sent.ChecksumCRC32) };
      };
    }
  });
}

/** Makes an object of the byte ranges of another on the same server, which must not change meanwhile. */
export function copyParts(
  client: S3Client,
  source: S3Location & { readonly size: number; readonly etag: string },
  target: MultipartTarget,
  partSize: number,
): Promise<void> {
  const { bucket: Bucket, key: Key } = target;
  // Without a checksum: MinIO computes none for copied parts and then refuses to put them together.
  return assemble(client, target, {}, async function* (): AsyncIterable<SendPart> {
    for (let start = 0; start < source.size; start += partSize) {
      const last = Math.min(start + partSize, source.size) - 1;
      yield async (UploadId, PartNumber) => {
        const copied = await client.send(
          new UploadPartCopyCommand({
            Bucket,
            Key,
            UploadId,
            PartNumber,
            CopySource: copySource(source),
            CopySourceRange: `bytes=${start}-${last}`,
            CopySourceIfMatch: source.etag,
          }),
        );
        return { PartNumber, ...pick(copied.CopyPartResult?.ETag, copied.CopyPartResult?.ChecksumCRC32) };
      };
    }
  });
}

const pick = (ETag: string | undefined, ChecksumCRC32: string | undefined): CompletedPart => ({
  ...(ETag === undefined ? {} : { ETag }),
  ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
});

/** Cuts a stream into parts of `partSize` bytes, the last one shorter; later parts are larger, see above. */
export async function* inParts(
  chunks: AsyncIterable<Uint8Array>,
  partSize: number,
): AsyncIterable<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  let limit = partSize;
  let number = 0;
  for await (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0; ) {
      const taken = rest.subarray(0, limit - size);
      // A copy: the stream may use its buffer again while the part is under way.
      held.push(taken.slice());
      size += taken.length;
      rest = rest.subarray(taken.length);
      if (size < limit) continue;
      yield Buffer.concat(held, size);
      held = [];
      size = 0;
      if (++number === PARTS_BEFORE_GROWTH) limit *= GROWTH;
    }
  }
  if (size > 0) yield Buffer.concat(held, size);
}

/** Creates, fills and completes an upload; whatever fails, its parts are given up, so that they cost nothing. */
async function assemble(
  client: S3Client,
  { bucket: Bucket, key: Key, storageClass, metadata }: MultipartTarget,
  checksum: Pick<CreateMultipartUploadCommandInput, 'ChecksumAlgorithm' | 'ChecksumType'>,
  parts: () => AsyncIterable<SendPart>,
): Promise<void> {
  const created = await client.send(
    new CreateMultipartUploadCommand({
      Bucket,
      Key,
      Metadata: { ...metadata },
      ...checksum,
      ...storageClassOf(storageClass),
    }),
  );
  const UploadId = created.UploadId;
  if (UploadId === undefined) {
    throw new LakeError('unavailable', 'The S3 server began a multipart upload without an id', {
      where: `s3://${Bucket}/${Key}`,
    });
  }
  try {
    const Parts = await sendParts(parts(), UploadId);
    await client.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        ...(created.ChecksumType === undefined ? {} : { ChecksumType: created.ChecksumType }),
        MultipartUpload: { Parts },
        IfNoneMatch: '*',
      }),
    );
  } catch (error) {
    // If this fails too, what is left is found by abortStaleUploads.
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => undefined);
    throw error;
  }
}

/** What a request says of the storage class; the SDK's list of names is older than some servers. */
export function storageClassOf(name: string | undefined): { StorageClass?: 'STANDARD' } {
  return name === undefined ? {} : Object.fromEntries([['StorageClass', name]]);
}

async function sendParts(parts: AsyncIterable<SendPart>, uploadId: string): Promise<CompletedPart[]> {
  const done: CompletedPart[] = [];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let number = 0;
  try {
    for await (const send of parts) {
      const task = send(uploadId, ++number).then(
        (part) => void done.push(part),
        (error: unknown) => void failures.push(error),
      );
      const tracked = task.finally(() => running.delete(tracked));
      running.add(tracked);
      if (running.size >= PARTS_AT_ONCE) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    // No part may be under way when the upload is aborted: it would stay behind.
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
  return done.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
}

/**
 * Gives up multipart uploads below a prefix that were begun before a time: what killed processes left. Their parts are no
 * objects and are not listed, but they are paid for.
 *
 * @returns how many there were
 */
export async function abortUploadsBefore(
  client: S3Client,
  prefix: string,
  initiatedBeforeMs: number,
): Promise<number> {
  const { bucket: Bucket, key: start } = parseS3(prefix);
  let aborted = 0;
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ Bucket, ...markers }));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined) continue;
      // Of the whole bucket: MinIO finds none by the beginning of a key.
      if (!Key.startsWith(start) || Initiated.getTime() >= initiatedBeforeMs) continue;
      await client
        .send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
        .catch((error: unknown) => {
          if (!isMissing(error) && s3Code(error) !== 'NoSuchUpload') throw error;
        });
      aborted++;
    }
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return aborted;
    markers = {
      KeyMarker: page.NextKeyMarker,
      ...(page.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: page.NextUploadIdMarker }),
    };
  }
}
