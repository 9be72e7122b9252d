import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import avsc from 'avsc';
import { LakeError } from '../errors.ts';
import { BIGINT_LONG, BLOCK_CODECS } from './avro-block.ts';
import { countedTypes } from './avro-counts.ts';
import { parseJson } from './json.ts';

/** Avro object container files as Iceberg uses them (spec: appendix A, "Avro"): records are keyed by field id. */

/** An Avro schema in JSON. */
export type AvroSchema =
  | string
  | readonly AvroSchema[]
  | { readonly type: AvroSchema; readonly [property: string]: unknown };

export interface AvroField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly 'field-id'?: number;
}

/** A record by field id: a column that was renamed, or whose name Avro cannot write, is found all the same. */
export type AvroRecord = { readonly [fieldId: string]: unknown };

export interface AvroFile {
  readonly schema: AvroSchema;
  /** The header's key-value pairs as text. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Decoded block by block; reading throws LakeError('corrupt') where the file is damaged. */
  readonly records: Iterable<AvroRecord>;
}

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const SYNC_LENGTH = 16;
const RECORDS_PER_BLOCK = 4000;

/** Fields whose longs do not fit a double: snapshot ids, and whatever stands in a partition tuple. */
const BIGINT_FIELDS: ReadonlySet<unknown> = new Set([1, 102, 503]);

const NO_FIELDS: ReadonlySet<number> = new Set();

/** The key of a field in an `AvroRecord`. */
export function fieldKey(fieldId: number): string {
  return `_${fieldId}`;
}

/**
 * Reads an object container file with the codec null, deflate, snappy or zstandard.
 *
 * @param leftOut ids of optional fields that are skipped; their keys are absent from the records. Hand in the same set each time.
 * @throws LakeError('corrupt') if the header is damaged or none; LakeError('unsupported') for other codecs.
 */
export function readAvro(bytes: Uint8Array, leftOut: ReadonlySet<number> = NO_FIELDS): AvroFile {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return guarded(() => {
    if (!reader.take(MAGIC.length).equals(MAGIC)) throw corrupt('it does not begin as an Avro file does');
    const pairs = readHeader(reader);
    const sync = reader.take(SYNC_LENGTH);
    const metadata = new Map([...pairs].map(([key, value]) => [key, value.toString('utf8')]));
    const schema = parseSchema(metadata.get('avro.schema'));
    const codec = metadata.get('avro.codec') ?? 'null';
    const inflate = BLOCK_CODECS.get(codec);
    if (!inflate) {
      throw new LakeError('unsupported', `the Avro codec ${codec} is not known to this version`, {
        hint: `it reads ${[...BLOCK_CODECS.keys()].join(', ')}`,
      });
    }
    const decode = recordDecoder(schema, leftOut);
    const start = reader.position;
    const records = { [Symbol.iterator]: () => readBlocks(reader.at(start), decode, inflate, sync) };
    return { schema, metadata, records };
  });
}

/**
 * Writes an object container file, deflated. The same input gives the same bytes.
 *
 * @throws LakeError('invalid-argument') if a record does not fit the schema.
 */
export function writeAvro(
  schema: AvroSchema,
  metadata: Readonly<Record<string, string>>,
  records: Iterable<AvroRecord>,
): Uint8Array {
  const type = recordType(schema);
  const pairs = { 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate', ...metadata };
  const header = [varint(Object.keys(pairs).length)];
  for (const [key, value] of Object.entries(pairs)) header.push(lengthPrefixed(key), lengthPrefixed(value));
  header.push(varint(0));
  const blocks = [...encodeBlocks(type, records)];
  // A marker made of the content, in place of random bytes, keeps the writer pure.
  const hash = createHash('sha256');
  for (const part of [...header, ...blocks.flat()]) hash.update(part);
  const sync = hash.digest().subarray(0, SYNC_LENGTH);
  const parts = [MAGIC, ...header, sync, ...blocks.flatMap((block) => [...block, sync])];
  return new Uint8Array(Buffer.concat(parts));
}

function* encodeBlocks(type: avsc.Type, records: Iterable<AvroRecord>): Generator<Buffer[]> {
  let pending: Buffer[] = [];
  for (const record of records) {
    pending.push(encodeRecord(type, record));
    if (pending.length < RECORDS_PER_BLOCK) continue;
    yield encodeBlock(pending);
    pending = [];
  }
  if (pending.length > 0) yield encodeBlock(pending);
}

function encodeBlock(records: readonly Buffer[]): Buffer[] {
  const data = deflateRawSync(Buffer.concat(records));
  return [varint(records.length), varint(data.length), data];
}

function encodeRecord(type: avsc.Type, record: AvroRecord): Buffer {
  try {
    return type.toBuffer(record);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LakeError('invalid-argument', `a manifest record does not fit its schema: ${reason}`, {
      hint: "nothing was written; a value is missing, or is not one of its field's type",
      cause,
    });
  }
}

function* readBlocks(
  reader: Reader,
  decode: RecordDecoder,
  inflate: (data: Buffer) => Buffer,
  sync: Buffer,
): Generator<AvroRecord> {
  while (!reader.atEnd) {
    const block = guarded(() => {
      const count = reader.long();
      const data = inflate(reader.take(reader.long()));
      if (!reader.take(SYNC_LENGTH).equals(sync)) throw corrupt('a block does not end with its marker');
      return { count, data };
    });
    yield* readRecords(block.data, block.count, decode);
  }
}

function* readRecords(data: Buffer, count: number, decode: RecordDecoder): Generator<AvroRecord> {
  let position = 0;
  const decodeNext = () => decode(data, position);
  for (let read = 0; read < count; read++) {
    const { value, offset } = guarded(decodeNext);
    if (!(offset > position)) throw corrupt('a record is cut off');
    position = offset;
    yield value;
  }
  if (position !== data.length) throw corrupt('a block holds more than its records');
}

function readHeader(reader: Reader): Map<string, Buffer> {
  const pairs = new Map<string, Buffer>();
  for (let count = reader.long(); count !== 0; count = reader.long()) {
    // A negative count is followed by the size of the block in bytes.
    if (count < 0) reader.long();
    for (let at = Math.abs(count); at > 0; at--) {
      const key = reader.take(reader.long()).toString('utf8');
      pairs.set(key, reader.take(reader.long()));
    }
  }
  return pairs;
}

class Reader {
  readonly #bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position = 0) {
    this.#bytes = bytes;
    this.position = position;
  }

  get atEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  at(position: number): Reader {
    return new Reader(this.#bytes, position);
  }

  take(length: number): Buffer {
    const end = this.position + length;
    if (length < 0 || end > this.#bytes.length) throw corrupt('it ends too early');
    const taken = this.#bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  /** A zigzag varint; lengths and counts are far below 2^53. */
  long(): number {
    let result = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.take(1).readUInt8(0);
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result % 2 === 0 ? result / 2 : -(result + 1) / 2;
    }
    throw corrupt('a length in it is out of range');
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([varint(bytes.length), bytes]);
}

const recordTypes = new Map<string, avsc.Type>();
const MAX_RECORD_TYPES = 64;

type RecordDecoder = (
  data: Buffer,
  position: number,
) => { readonly value: AvroRecord; readonly offset: number };

const decoderTypes = new WeakMap<ReadonlySet<number>, WeakMap<avsc.Type, RecordDecoder>>();

/** Decodes the records of a schema without some of its fields: skipping them costs a fraction of decoding them. */
function recordDecoder(schema: AvroSchema, leftOut: ReadonlySet<number>): RecordDecoder {
  const type = recordType(schema);
  if (leftOut.size === 0) return (data, position) => type.decode(data, position);
  const decoders = decoderTypes.get(leftOut) ?? new WeakMap<avsc.Type, RecordDecoder>();
  decoderTypes.set(leftOut, decoders);
  let decode = decoders.get(type);
  if (!decode) {
    const reader = codecOf(withoutFields(schema, leftOut));
    const resolver = reader.createResolver(type);
    decode = (data, position) => reader.decode(data, position, resolver);
    decoders.set(type, decode);
  }
  return decode;
}

function withoutFields(schema: AvroSchema, leftOut: ReadonlySet<number>): AvroSchema {
  if (typeof schema === 'string' || isUnion(schema)) return schema;
  if (schema.type !== 'record') return schema;
  const fields = recordFields(schema)
    .filter((field) => field['field-id'] === undefined || !leftOut.has(field['field-id']))
    .map((field) => ({ ...field, type: withoutFields(field.type, leftOut) }));
  return { ...schema, fields };
}

/** The codec of a schema. Kept for the last schemas: a table's manifests share a few. */
function recordType(schema: AvroSchema): avsc.Type {
  const key = JSON.stringify(schema);
  let type = recordTypes.get(key);
  if (!type) {
    type = codecOf(schema);
    if (recordTypes.size >= MAX_RECORD_TYPES) recordTypes.clear();
    recordTypes.set(key, type);
  }
  return type;
}

function codecOf(schema: AvroSchema): avsc.Type {
  return avsc.Type.forSchema(toAvsc(keyedSchema(schema, false)), {
    registry: { int64: BIGINT_LONG },
    wrapUnions: 'never',
    omitRecordMethods: true,
    typeHook: countedTypes,
  });
}

/** avsc's typing of schemas knows no properties beside its own. */
function toAvsc(schema: unknown): avsc.Type {
  return schema as avsc.Type;
}

/** The schema as the codec takes it: fields named after their ids, no defaults, no logical types. */
function keyedSchema(schema: AvroSchema, bigints: boolean): AvroSchema {
  if (typeof schema === 'string') return schema === 'long' && bigints ? 'int64' : schema;
  if (isUnion(schema)) return schema.map((branch) => keyedSchema(branch, bigints));
  if (schema.type === 'record') {
    const fields = recordFields(schema).map((field) => {
      const id = field['field-id'];
      const name = id === undefined ? field.name : fieldKey(id);
      return { name, type: keyedSchema(field.type, bigints || BIGINT_FIELDS.has(id)) };
    });
    return { type: 'record', name: schema['name'], fields };
  }
  if (schema.type === 'array') return { type: 'array', items: keyedSchema(child(schema['items']), bigints) };
  if (schema.type === 'map') return { type: 'map', values: keyedSchema(child(schema['values']), bigints) };
  if (schema.type === 'fixed') return { type: 'fixed', name: schema['name'], size: schema['size'] };
  if (schema.type === 'enum') return schema;
  return keyedSchema(schema.type, bigints);
}

/** The fields of a record schema; none for other schemas. */
export function recordFields(schema: AvroSchema): readonly AvroField[] {
  if (typeof schema === 'string' || isUnion(schema)) return [];
  const fields = schema['fields'];
  if (!Array.isArray(fields)) return [];
  return fields.filter((field): field is AvroField => typeof field?.name === 'string');
}

function isUnion(schema: AvroSchema): schema is readonly AvroSchema[] {
  return Array.isArray(schema);
}

function isAvroSchema(value: unknown): value is AvroSchema {
  if (typeof value === 'string') return true;
  if (Array.isArray(value)) return value.every(isAvroSchema);
  return typeof value === 'object' && value !== null && 'type' in value && isAvroSchema(value.type);
}

function child(value: unknown): AvroSchema {
  if (isAvroSchema(value)) return value;
  throw corrupt('its schema is no Avro schema');
}

function parseSchema(text: string | undefined): AvroSchema {
  return child(text === undefined ? undefined : parseJson(text));
}

function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof LakeError) throw cause;
    // Of a schema or bytes that are off, avsc and zlib fail in ways that tell of their own inside.
    const isInside = cause instanceof TypeError || cause instanceof RangeError;
    throw corrupt(isInside || !(cause instanceof Error) ? 'it does not decode' : cause.message, cause);
  }
}

function corrupt(reason: string, cause?: unknown): LakeError {
  return new LakeError('corrupt', `not a valid Avro file: ${reason}`, {
    hint: 'the object is damaged or was cut off; restore it from a backup',
    ...(cause === undefined ? {} : { cause }),
  });
}
