import { decimalParameters, fixedLength, type NestedField, type Type } from '../iceberg/types.ts';
import type { Cell } from '../parquet/cell.ts';
import type { AvroJson } from './avro-blocks.ts';
import { isAvroJson } from './avro-blocks.ts';
import { Misfit } from './misfit.ts';

type Reader = (value: unknown) => Cell;

/** Named types (records, enums, fixed) that a schema has defined so far. */
export type NamedTypes = Map<string, AvroJson>;

/**
 * How values of an Avro schema become cells of a type. Strict: the same meaning, or a wider type.
 *
 * @throws Misfit if values of the schema are none of the type
 */
export function avroReader(type: Type, schema: AvroJson, names: NamedTypes): Reader {
  if (typeof schema === 'string') {
    const named = names.get(schema);
    return named === undefined ? primitive(type, schema, {}) : avroReader(type, named, names);
  }
  if (isUnion(schema)) return unionReader(type, schema, names);
  if (typeof schema.type === 'object') return avroReader(type, schema.type, names);
  if (typeof schema['name'] === 'string') names.set(fullName(schema), schema);
  if (schema.type === 'record') return recordReader(type, schema, names);
  if (schema.type === 'array') return arrayReader(type, schema, names);
  if (schema.type === 'map') return mapReader(type, schema, names);
  return primitive(type, schema.type, schema);
}

interface AvroObject {
  readonly type: AvroJson;
  readonly [property: string]: unknown;
}

function isUnion(schema: AvroJson): schema is readonly AvroJson[] {
  return Array.isArray(schema);
}

function fullName(schema: AvroObject): string {
  const { name, namespace } = schema;
  return typeof namespace === 'string' && !String(name).includes('.')
    ? `${namespace}.${String(name)}`
    : String(name);
}

/** Of a union with null and one other type; avsc gives `{ branch: value }`. */
function unionReader(type: Type, branches: readonly AvroJson[], names: NamedTypes): Reader {
  const others = branches.filter((branch) => branch !== 'null');
  const [only] = others;
  if (only === undefined) return () => null;
  if (others.length > 1)
    throw new Misfit(JSON.stringify(branches), type, 'a union of several types has no column type');
  const read = avroReader(type, only, names);
  return (value) => (isRecord(value) ? read(Object.values(value)[0]) : null);
}

function recordReader(type: Type, schema: AvroObject, names: NamedTypes): Reader {
  if (typeof type === 'string' || type.type !== 'struct') throw misfit(type, schema);
  const readers = fieldReaders(type.fields, schema, names, type);
  return (value) => readers.map((read) => read(value));
}

/** A reader for each column, of a record's value. Columns that the record does not have are null. */
export function fieldReaders(
  fields: readonly NestedField[],
  schema: AvroObject,
  names: NamedTypes,
  type: Type,
): Reader[] {
  const avroFields = recordFields(schema);
  const unknown = avroFields.find((field) => !fields.some((candidate) => candidate.name === field.name));
  if (unknown) throw new Misfit(unknown.name, type, `it has no field "${unknown.name}"`);
  const found = new Map(
    // In the file's order: a name may be used only after it was defined.
    avroFields.map((avro) => {
      const field = fields.find((candidate) => candidate.name === avro.name);
      return [avro.name, avroReader(field?.type ?? 'string', avro.type, names)];
    }),
  );
  return fields.map((field) => {
    const read = found.get(field.name);
    if (!read) return () => null;
    return (value) => read(isRecord(value) ? value[field.name] : null);
  });
}

/** The fields of a record schema. */
export function recordFields(schema: AvroObject): { name: string; type: AvroJson }[] {
  const fields = schema['fields'];
  if (!Array.isArray(fields)) return [];
  return fields.filter(
    (field): field is { name: string; type: AvroJson } =>
      typeof field?.name === 'string' && isAvroJson(field.type),
  );
}

function arrayReader(type: Type, schema: AvroObject, names: NamedTypes): Reader {
  const items = schema['items'];
  if (!isAvroJson(items) || typeof type === 'string') throw misfit(type, schema);
  if (
    type.type === 'map' &&
    schema['logicalType'] === 'map' &&
    typeof items === 'object' &&
    !isUnion(items)
  ) {
    const [key, value] = recordFields(items);
    if (!key || !value) throw misfit(type, schema);
    const [readKey, readValue] = [
      avroReader(type.key, key.type, names),
      avroReader(type.value, value.type, names),
    ];
    return (list) =>
      asList(list).map((entry) => {
        const pair = isRecord(entry) ? entry : {};
        return [readKey(pair[key.name]), readValue(pair[value.name])];
      });
  }
  if (type.type !== 'list') throw misfit(type, schema);
  const read = avroReader(type.element, items, names);
  return (list) => asList(list).map(read);
}

function mapReader(type: Type, schema: AvroObject, names: NamedTypes): Reader {
  const values = schema['values'];
  if (typeof type === 'string' || type.type !== 'map' || type.key !== 'string' || !isAvroJson(values))
    throw misfit(type, schema);
  const read = avroReader(type.value, values, names);
  return (map) => (isRecord(map) ? Object.entries(map).map(([key, value]) => [key, read(value)]) : null);
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

const number: Reader = (value) => (typeof value === 'number' ? value : null);
const long: Reader = (value) =>
  typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : null;
const text: Reader = (value) => (typeof value === 'string' ? value : null);
const bytes: Reader = (value) => (value instanceof Uint8Array ? Uint8Array.from(value) : null);
const scaled =
  (factor: bigint): Reader =>
  (value) =>
    typeof value === 'bigint' || typeof value === 'number' ? BigInt(value) * factor : null;

/** By Avro type with its logical type: what it may become. */
const PRIMITIVES: Readonly<Record<string, Readonly<Record<string, Reader>>>> = {
  null: {},
  boolean: { boolean: (value) => (typeof value === 'boolean' ? value : null) },
  int: { int: number, long },
  long: { long },
  float: { float: number, double: number },
  double: { double: number },
  string: { string: text },
  enum: { string: text },
  bytes: { binary: bytes },
  fixed: { binary: bytes },
  'int date': { date: number },
  'int time-millis': { time: scaled(1000n) },
  'long time-micros': { time: long },
  'long timestamp-millis': { timestamptz: scaled(1000n) },
  'long timestamp-micros': { timestamptz: long },
  'long timestamp-nanos': { timestamptz_ns: long },
  'long local-timestamp-millis': { timestamp: scaled(1000n) },
  'long local-timestamp-micros': { timestamp: long },
  'long local-timestamp-nanos': { timestamp_ns: long },
  'string uuid': { uuid: (value) => (typeof value === 'string' ? value.toLowerCase() : null), string: text },
  'fixed uuid': { uuid: uuidText },
};

function uuidText(value: unknown): Cell {
  if (!(value instanceof Uint8Array)) return null;
  return Buffer.from(value)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function primitive(type: Type, avro: string, schema: Readonly<Record<string, unknown>>): Reader {
  if (avro === 'null') return () => null;
  if (typeof type !== 'string') throw misfit(type, avro);
  const logical = schema['logicalType'];
  if (logical === 'decimal') return decimalReader(type, schema);
  // Iceberg's own writers mark a timestamp without zone so.
  const local = schema['adjust-to-utc'] === false && String(logical).startsWith('timestamp') ? 'local-' : '';
  const key = typeof logical === 'string' ? `${avro} ${local}${logical}` : avro;
  const wanted = fixedLength(type) === null ? type : 'fixed';
  if (wanted === 'fixed' && avro === 'fixed' && logical === undefined && schema['size'] === fixedLength(type))
    return bytes;
  const read = (PRIMITIVES[key] ?? PRIMITIVES[avro])?.[wanted];
  if (!read) throw misfit(type, schema['logicalType'] === undefined ? avro : key);
  return read;
}

function decimalReader(type: string, schema: Readonly<Record<string, unknown>>): Reader {
  const to = decimalParameters(type);
  const [precision, scale] = [Number(schema['precision']), Number(schema['scale'] ?? 0)];
  if (!to || to.scale !== scale || precision > to.precision)
    throw misfit(type, `decimal(${precision}, ${scale})`);
  return (value) => {
    if (!(value instanceof Uint8Array)) return null;
    return value.length === 0
      ? 0n
      : BigInt.asIntN(value.length * 8, BigInt(`0x${Buffer.from(value).toString('hex')}`));
  };
}

function misfit(type: Type, avro: unknown): Misfit {
  return new Misfit(`Avro ${typeof avro === 'string' ? avro : JSON.stringify(avro)}`, type);
}
