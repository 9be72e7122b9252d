import type { AvroSchema } from './avro.ts';
import {
  decimalParameters,
  fixedLength,
  type NestedField,
  type PrimitiveKind,
  primitiveKind,
  type StructType,
  type Type,
} from './types.ts';

/** The Avro schemas of manifests (spec: "Manifests", appendix A). */

/** Format versions whose manifests this version writes. */
export type ManifestFormatVersion = 2 | 3;

/** A field with its id; optional ones are a union with null. */
export function avroField(
  id: number,
  name: string,
  type: AvroSchema,
  required: boolean,
): Record<string, unknown> {
  if (required) return { name, type, 'field-id': id };
  return { name, type: ['null', type], default: null, 'field-id': id };
}

/** The schema of `manifest_entry` for a partition tuple of this type. */
export function entrySchema(partition: StructType, formatVersion: ManifestFormatVersion): AvroSchema {
  return record('manifest_entry', [
    avroField(0, 'status', 'int', true),
    avroField(1, 'snapshot_id', 'long', false),
    avroField(3, 'sequence_number', 'long', false),
    avroField(4, 'file_sequence_number', 'long', false),
    avroField(2, 'data_file', record('r2', dataFileFields(partition, formatVersion)), true),
  ]);
}

function dataFileFields(partition: StructType, formatVersion: ManifestFormatVersion): object[] {
  const onlyV3 = (id: number, name: string): object[] =>
    formatVersion >= 3 ? [avroField(id, name, 'long', false)] : [];
  return [
    avroField(134, 'content', 'int', true),
    avroField(100, 'file_path', 'string', true),
    avroField(101, 'file_format', 'string', true),
    avroField(102, 'partition', record('r102', partition.fields.map(partitionField)), true),
    avroField(103, 'record_count', 'long', true),
    avroField(104, 'file_size_in_bytes', 'long', true),
    avroField(108, 'column_sizes', idMap(117, 118, 'long'), false),
    avroField(109, 'value_counts', idMap(119, 120, 'long'), false),
    avroField(110, 'null_value_counts', idMap(121, 122, 'long'), false),
    avroField(137, 'nan_value_counts', idMap(138, 139, 'long'), false),
    avroField(125, 'lower_bounds', idMap(126, 127, 'bytes'), false),
    avroField(128, 'upper_bounds', idMap(129, 130, 'bytes'), false),
    avroField(131, 'key_metadata', 'bytes', false),
    avroField(132, 'split_offsets', list(133, 'long'), false),
    avroField(135, 'equality_ids', list(136, 'int'), false),
    avroField(140, 'sort_order_id', 'int', false),
    ...onlyV3(142, 'first_row_id'),
    avroField(143, 'referenced_data_file', 'string', false),
    ...onlyV3(144, 'content_offset'),
    ...onlyV3(145, 'content_size_in_bytes'),
  ];
}

/** Fields of a partition tuple are optional; a name that Avro cannot write is spelled as Java does. */
function partitionField(field: NestedField): object {
  const name = avroName(field.name);
  const written = avroField(field.id, name, avroType(field.type, field.id), false);
  return name === field.name ? written : { ...written, 'iceberg-field-name': field.name };
}

function avroName(name: string): string {
  const spelled = name.replace(
    /[^A-Za-z0-9_]/gu,
    (char) => `_x${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}`,
  );
  return /^[0-9]/.test(spelled) ? `_${spelled}` : spelled;
}

export function record(name: string, fields: readonly object[]): AvroSchema {
  return { type: 'record', name, fields };
}

export function list(elementId: number, items: AvroSchema): AvroSchema {
  return { type: 'array', items, 'element-id': elementId };
}

/** A map with integer keys is an array of key-value records in Avro. */
function idMap(keyId: number, valueId: number, value: AvroSchema): AvroSchema {
  const items = record(`k${keyId}_v${valueId}`, [
    avroField(keyId, 'key', 'int', true),
    avroField(valueId, 'value', value, true),
  ]);
  return { type: 'array', items, logicalType: 'map' };
}

/** Avro wants every fixed type of a schema to have a name of its own: the field's id is in it. */
type AvroOf = (type: Type, fieldId: number) => AvroSchema;

function avroType(type: Type, fieldId: number): AvroSchema {
  return avroTypes[primitiveKind(type)](type, fieldId);
}

const plain =
  (name: string): AvroOf =>
  () =>
    name;
const timestamp =
  (unit: 'micros' | 'nanos', adjustToUtc: boolean): AvroOf =>
  () => ({ type: 'long', logicalType: `timestamp-${unit}`, 'adjust-to-utc': adjustToUtc });

const avroTypes: Record<PrimitiveKind, AvroOf> = {
  unknown: plain('string'),
  boolean: plain('boolean'),
  int: plain('int'),
  long: plain('long'),
  float: plain('float'),
  double: plain('double'),
  decimal: (type, fieldId) => {
    const { precision, scale } = decimalParameters(type) ?? { precision: 38, scale: 0 };
    const size = decimalBytes(precision);
    return { type: 'fixed', name: `decimal_f${fieldId}`, size, logicalType: 'decimal', precision, scale };
  },
  date: () => ({ type: 'int', logicalType: 'date' }),
  time: () => ({ type: 'long', logicalType: 'time-micros' }),
  timestamp: timestamp('micros', false),
  timestamptz: timestamp('micros', true),
  timestamp_ns: timestamp('nanos', false),
  timestamptz_ns: timestamp('nanos', true),
  string: plain('string'),
  uuid: (_, fieldId) => ({ type: 'fixed', name: `uuid_f${fieldId}`, size: 16, logicalType: 'uuid' }),
  fixed: (type, fieldId) => ({ type: 'fixed', name: `fixed_f${fieldId}`, size: fixedLength(type) ?? 0 }),
  binary: plain('bytes'),
  variant: plain('bytes'),
  geometry: plain('bytes'),
  geography: plain('bytes'),
};

/** The fewest bytes that hold every decimal of this precision in two's complement. */
export function decimalBytes(precision: number): number {
  const bits = (10n ** BigInt(precision) - 1n).toString(2).length + 1;
  return Math.ceil(bits / 8);
}
