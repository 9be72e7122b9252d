import { crc32 } from 'node:zlib';
import { LakeError } from '../errors.ts';

const MAGIC = 0xd1d33964;
/** Roaring's two cookies: without and with run containers. */
const NO_RUNS = 12346;
const WITH_RUNS = 12347;
/** A container with more values than this is a bitmap. */
const MOST_IN_ARRAY = 4096;
const BITMAP_BYTES = 8192;
/** With runs, offsets are only written for so many containers or more. */
const LEAST_FOR_OFFSETS = 4;

/**
 * The deleted positions (rows from 0) in a blob of type `deletion-vector-v1`, rising (Puffin spec: length, magic, a 64-bit Roaring bitmap in its
 * portable form, CRC-32).
 *
 * @param blob the bytes at the manifest entry's `content_offset`, `content_size_in_bytes` of them
 * @throws LakeError('corrupt') for other bytes, or where the checksum does not fit
 */
export function* deletedPositions(blob: Uint8Array): Generator<number> {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.length);
  if (bytes.length < 20) throw corrupt('it is too short');
  const length = bytes.readUInt32BE(0);
  if (length + 8 !== bytes.length) throw corrupt(`it says ${length} bytes of ${bytes.length}`);
  if (bytes.readUInt32BE(4) !== MAGIC) throw corrupt('it does not begin as one');
  const covered = bytes.subarray(4, 4 + length);
  if (crc32(covered) !== bytes.readUInt32BE(4 + length)) throw corrupt('its checksum does not fit');
  try {
    yield* bitmap64(new Reader(covered.subarray(4)));
  } catch (cause) {
    if (cause instanceof RangeError) throw corrupt('it ends early', cause);
    throw cause;
  }
}

class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  u16(): number {
    const value = this.bytes.readUInt16LE(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    const value = this.bytes.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new RangeError('past the end');
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }
}

function* bitmap64(reader: Reader): Generator<number> {
  const count = reader.bytes.readBigUInt64LE(0);
  reader.at = 8;
  let last = -1;
  for (let i = 0n; i < count; i++) {
    const high = reader.u32();
    if (high <= last) throw corrupt('its keys do not rise');
    last = high;
    for (const low of bitmap32(reader)) {
      const position = high * 2 ** 32 + low;
      if (!Number.isSafeInteger(position)) throw corrupt('it has a position beyond 2^53');
      yield position;
    }
  }
  if (reader.at !== reader.bytes.length) throw corrupt('it has bytes after its end');
}

function* bitmap32(reader: Reader): Generator<number> {
  const cookie = reader.u32();
  const hasRuns = (cookie & 0xffff) === WITH_RUNS;
  if (!hasRuns && cookie !== NO_RUNS) throw corrupt(`its bitmap has the cookie ${cookie}`);
  const size = hasRuns ? (cookie >>> 16) + 1 : reader.u32();
  if (size > 65536) throw corrupt(`its bitmap has ${size} containers`);
  const runs = hasRuns ? reader.take(Math.ceil(size / 8)) : null;
  const headers = Array.from({ length: size }, () => ({ key: reader.u16(), values: reader.u16() + 1 }));
  if (!hasRuns || size >= LEAST_FOR_OFFSETS) reader.take(4 * size);
  for (const [i, { key, values }] of headers.entries()) {
    const isRun = ((runs?.[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
    const lows = isRun
      ? runValues(reader)
      : values > MOST_IN_ARRAY
        ? bitValues(reader)
        : arrayValues(reader, values);
    for (const low of lows) yield key * 65536 + low;
  }
}

function* runValues(reader: Reader): Generator<number> {
  const count = reader.u16();
  for (let i = 0; i < count; i++) {
    const start = reader.u16();
    const more = reader.u16();
    if (start + more > 0xffff) throw corrupt('a run goes beyond its container');
    for (let value = start; value <= start + more; value++) yield value;
  }
}

function* arrayValues(reader: Reader, values: number): Generator<number> {
  for (let i = 0; i < values; i++) yield reader.u16();
}

function* bitValues(reader: Reader): Generator<number> {
  const words = reader.take(BITMAP_BYTES);
  for (let i = 0; i < BITMAP_BYTES * 8; i++) if (((words[i >> 3] ?? 0) & (1 << (i & 7))) !== 0) yield i;
}

function corrupt(reason: string, cause?: unknown): LakeError {
  return new LakeError('corrupt', `not a valid deletion vector: ${reason}`, {
    cause,
    hint: 'the object is damaged or was cut off; restore it from a backup',
  });
}
