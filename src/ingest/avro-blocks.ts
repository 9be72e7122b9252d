import avsc from 'avsc';
import { LakeError } from '../errors.ts';
import { BIGINT_LONG, BLOCK_CODECS } from '../iceberg/avro-block.ts';
import { countedTypes } from '../iceberg/avro-counts.ts';
import { CHECKED_STRING } from './avro-text.ts';
import { reasonOf } from './input-bytes.ts';

/** An Avro schema in JSON. */
export type AvroJson =
  | string
  | readonly AvroJson[]
  | { readonly type: AvroJson; readonly [property: string]: unknown };

export interface AvroStream {
  readonly schema: AvroJson;
  /** Records block by block, by the names of their fields; longs are bigint, logical types as they are stored. */
  readonly blocks: AsyncIterable<readonly unknown[]>;
}

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const SYNC_LENGTH = 16;

/** A block or header of more bytes is taken for damage. */
const LARGEST_BLOCK = 256 * 1024 * 1024;
const MOST_EMPTY_RECORDS = 1_000_000;

/**
 * Reads an Avro object container file from a stream (codecs null, deflate, snappy, zstandard); one block is in memory at a time.
 *
 * @throws LakeError `corrupt` where the file is damaged or cut off, `unsupported` for other codecs
 */
export async function readAvroStream(name: string, chunks: AsyncIterable<Uint8Array>): Promise<AvroStream> {
  const reader = new ByteReader(name, chunks);
  if (!(await reader.take(MAGIC.length)).equals(MAGIC))
    throw damaged(name, 'it does not begin as an Avro file does');
  const pairs = new Map<string, Buffer>();
  for (let count = await reader.long(); count !== 0; count = await reader.long()) {
    if (count < 0) await reader.long();
    for (let at = Math.abs(count); at > 0; at--) {
      const key = (await reader.take(await reader.long())).toString('utf8');
      pairs.set(key, await reader.take(await reader.long()));
    }
  }
  const sync = await reader.take(SYNC_LENGTH);
  const codec = pairs.get('avro.codec')?.toString('utf8') || 'null';
  const inflate = BLOCK_CODECS.get(codec);
  if (!inflate)
    throw new LakeError('unsupported', `The Avro codec ${codec} is not known to this version`, {
      where: name,
      hint: `It reads ${[...BLOCK_CODECS.keys()].join(', ')}. Nothing was committed.`,
    });
  const { schema, type } = parseType(name, pairs.get('avro.schema')?.toString('utf8') ?? '');
  return { schema, blocks: readBlocks(name, reader, type, inflate, sync) };
}

function parseType(name: string, text: string): { schema: AvroJson; type: avsc.Type } {
  try {
    const schema: unknown = JSON.parse(text);
    if (!isAvroJson(schema)) throw new Error('its schema is no Avro schema');
    const type = avsc.Type.forSchema(schema as avsc.Schema, {
      registry: { long: BIGINT_LONG, string: CHECKED_STRING },
      wrapUnions: 'always',
      omitRecordMethods: true,
      typeHook: countedTypes,
    });
    return { schema, type };
  } catch (cause) {
    throw damaged(name, reasonOf(cause), cause);
  }
}

/** True for what has the shape of an Avro schema. */
export function isAvroJson(value: unknown): value is AvroJson {
  if (typeof value === 'string') return true;
  if (Array.isArray(value)) return value.every(isAvroJson);
  return typeof value === 'object' && value !== null && 'type' in value && isAvroJson(value.type);
}

async function* readBlocks(
  name: string,
  reader: ByteReader,
  type: avsc.Type,
  inflate: (data: Buffer) => Buffer,
  sync: Buffer,
): AsyncGenerator<readonly unknown[]> {
  while (!(await reader.atEnd())) {
    const count = await reader.long();
    const data = await reader.take(await reader.long());
    if (!(await reader.take(SYNC_LENGTH)).equals(sync))
      throw damaged(name, 'a block does not end with its marker');
    yield decodeBlock(name, type, count, data, inflate);
  }
}

function decodeBlock(
  name: string,
  type: avsc.Type,
  count: number,
  data: Buffer,
  inflate: (data: Buffer) => Buffer,
): unknown[] {
  try {
    const bytes = inflate(data);
    // Records without any bytes could be as many as a damaged count says.
    if (count > MOST_EMPTY_RECORDS && count > bytes.length)
      throw new Error('a block is too short for its records');
    const records: unknown[] = [];
    let position = 0;
    for (let read = 0; read < count; read++) {
      const { value, offset }: { value: unknown; offset: number } = type.decode(bytes, position);
      if (offset < position || offset > bytes.length) throw new Error('a record is cut off');
      records.push(value);
      position = offset;
    }
    if (position !== bytes.length) throw new Error('a block holds more than its records');
    return records;
  } catch (cause) {
    throw damaged(name, reasonOf(cause), cause);
  }
}

/** Bytes of a stream, asked for piece by piece. */
class ByteReader {
  readonly #name: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(name: string, chunks: AsyncIterable<Uint8Array>) {
    this.#name = name;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    return this.#held.length === 0 && !(await this.#fill(1));
  }

  async #fill(length: number): Promise<boolean> {
    const parts = [this.#held];
    let held = this.#held.length;
    while (held < length) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      parts.push(Buffer.from(value.buffer, value.byteOffset, value.length));
      held += value.length;
    }
    this.#held = parts.length === 1 ? this.#held : Buffer.concat(parts);
    return held >= length;
  }

  async take(length: number): Promise<Buffer> {
    if (length < 0 || length > LARGEST_BLOCK) throw damaged(this.#name, 'a length in it is out of range');
    if (!(await this.#fill(length))) throw damaged(this.#name, 'it ends too early');
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  /** A zigzag varint; lengths and counts are far below 2^53. */
  async long(): Promise<number> {
    let result = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = (await this.take(1)).readUInt8(0);
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result % 2 === 0 ? result / 2 : -(result + 1) / 2;
    }
    throw damaged(this.#name, 'a length in it is out of range');
  }
}

function damaged(name: string, reason: string, cause?: unknown): LakeError {
  return new LakeError('corrupt', `Not a valid Avro file: ${reason}`, {
    where: name,
    hint: 'Nothing was committed. Fetch the file again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
