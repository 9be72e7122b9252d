import { type AvroRecord, fieldKey } from './avro.ts';
import { decimalBytes } from './manifest-schema.ts';
import { type PartitionSpec, partitionType } from './partition-spec.ts';
import { fieldsById } from './schema.ts';
import {
  decimalParameters,
  type NestedField,
  type PrimitiveKind,
  primitiveKind,
  type StructType,
  type Type,
  type Value,
} from './types.ts';
import { decodeValue, encodeValue } from './values.ts';

/**
 * The type of partition tuples as they are written. Where a source column is gone, the schema does not tell
 * the type of its values any more: the tuples themselves do.
 */
export function tupleType(
  spec: PartitionSpec,
  schema: StructType,
  tuples: readonly (readonly Value[])[],
): StructType {
  const type = partitionType(spec, schema);
  const known = fieldsById(schema);
  const fields = type.fields.map((field, at): NestedField => {
    const source = spec.fields[at]?.['source-id'];
    if (source !== undefined && known.has(source)) return field;
    const values = tuples.map((tuple) => tuple[at] ?? null).filter((value) => value !== null);
    return values.length === 0 || values.every((value) => fits(field.type, value))
      ? field
      : { ...field, type: typeOfValues(values) };
  });
  return { type: 'struct', fields };
}

function fits(type: Type, value: Value): boolean {
  const shape = shapes[primitiveKind(type)];
  return shape === 'bytes' ? value instanceof Uint8Array : shape === null || typeof value === shape;
}

const shapes: Record<PrimitiveKind, 'boolean' | 'number' | 'bigint' | 'string' | 'bytes' | null> = {
  unknown: null,
  boolean: 'boolean',
  int: 'number',
  long: 'bigint',
  float: 'number',
  double: 'number',
  decimal: 'bigint',
  date: 'number',
  time: 'bigint',
  timestamp: 'bigint',
  timestamptz: 'bigint',
  timestamp_ns: 'bigint',
  timestamptz_ns: 'bigint',
  string: 'string',
  uuid: 'string',
  fixed: 'bytes',
  binary: 'bytes',
  variant: 'bytes',
  geometry: 'bytes',
  geography: 'bytes',
};

function typeOfValues(values: readonly Value[]): Type {
  const [first] = values;
  if (typeof first === 'boolean') return 'boolean';
  if (typeof first === 'bigint') return 'long';
  if (first instanceof Uint8Array) return 'binary';
  if (typeof first === 'string') return 'string';
  return values.every((value) => Number.isInteger(value) && !Object.is(value, -0)) ? 'int' : 'double';
}

/** The tuple as its Avro record. Values written before their column was promoted take the promoted type. */
export function tupleToAvro(type: StructType, tuple: readonly Value[]): AvroRecord {
  return Object.fromEntries(
    type.fields.map((field, at) => [fieldKey(field.id), valueToAvro(field.type, tuple[at] ?? null)]),
  );
}

/**
 * The tuple of an Avro record. Values are found by field id; in v1 files, which may not have the spec's
 * ids, by their place.
 */
export function tupleFromAvro(type: StructType, record: AvroRecord): readonly Value[] {
  return type.fields.map((field, at) => {
    const value = record[fieldKey(field.id)];
    return valueFromAvro(field.type, value === undefined ? Object.values(record)[at] : value);
  });
}

function valueToAvro(type: Type, value: Value): unknown {
  if (value === null) return null;
  const kind = primitiveKind(type);
  if (shapes[kind] === 'bigint' && typeof value === 'number') return valueToAvro(type, BigInt(value));
  if (kind === 'uuid') return Buffer.from(encodeValue(type, value));
  if (kind === 'decimal')
    return signExtended(encodeValue(type, value), decimalBytes(decimalParameters(type)?.precision ?? 38));
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function valueFromAvro(type: Type, value: unknown): Value {
  const kind = primitiveKind(type);
  if (value instanceof Uint8Array) {
    return kind === 'uuid' || kind === 'decimal' ? decodeValue(type, value) : new Uint8Array(value);
  }
  if (typeof value === 'number') return shapes[kind] === 'bigint' ? BigInt(value) : value;
  if (typeof value === 'bigint') return shapes[kind] === 'number' ? Number(value) : value;
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}

function signExtended(bytes: Uint8Array, size: number): Buffer {
  const filler = (bytes[0] ?? 0) >= 0x80 ? 0xff : 0;
  return Buffer.concat([Buffer.alloc(Math.max(0, size - bytes.length), filler), bytes]);
}
