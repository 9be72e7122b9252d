import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import avsc from 'avsc';
import { snappyUncompress } from 'hyparquet';
import { LakeError } from '../errors.ts';

/** Bytes; an unpacked block of more is taken for damage. */
const LARGEST_BLOCK = 2 ** 30;

/** What unpacks the blocks of an Avro file, by the codec's name. They fail with any error on damage. */
export const BLOCK_CODECS: ReadonlyMap<string, (data: Buffer) => Buffer> = new Map([
  ['null', (data: Buffer) => data],
  ['deflate', (data: Buffer) => inflateRawSync(data, { maxOutputLength: LARGEST_BLOCK })],
  ['zstandard', (data: Buffer) => zstdDecompressSync(data, { maxOutputLength: LARGEST_BLOCK })],
  ['snappy', uncompressSnappy],
]);

/** Snappy's own length comes first; four bytes of checksum follow the data. */
function uncompressSnappy(data: Buffer): Buffer {
  let length = 0;
  for (let at = 0, scale = 1; at < 5; at++, scale *= 128) {
    const byte = data.readUInt8(at);
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > LARGEST_BLOCK) {
    throw new LakeError('corrupt', 'not a valid Avro file: a block is too large', {
      hint: 'the object is damaged; restore it from a backup',
    });
  }
  const output = new Uint8Array(length);
  snappyUncompress(data.subarray(0, -4), output);
  return Buffer.from(output.buffer);
}

/** Avro's long as bigint: a double does not hold all of them. */
export const BIGINT_LONG = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b)),
});
