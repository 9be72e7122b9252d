import {
  Schema as ArrowSchema,
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampNanosecond,
  Utf8,
} from 'apache-arrow';
import { LakeError } from '../errors.ts';
import type { Schema } from '../iceberg/schema.ts';
import {
  decimalParameters,
  fixedLength,
  type NestedField,
  type PrimitiveKind,
  type PrimitiveType,
  primitiveKind,
  type Type,
} from '../iceberg/types.ts';

/** Arrow field metadata that the Parquet writer takes a column's field id from. */
const FIELD_ID = 'PARQUET:field_id';

const primitives: Record<PrimitiveKind, (type: PrimitiveType) => DataType> = {
  boolean: () => new Bool(),
  int: () => new Int32(),
  long: () => new Int64(),
  float: () => new Float32(),
  double: () => new Float64(),
  decimal: (type) => {
    const { precision, scale } = decimalParameters(type) ?? { precision: 38, scale: 0 };
    return new Decimal(scale, precision);
  },
  date: () => new DateDay(),
  time: () => new TimeMicrosecond(),
  timestamp: () => new TimestampMicrosecond(),
  timestamptz: () => new TimestampMicrosecond('UTC'),
  timestamp_ns: () => new TimestampNanosecond(),
  timestamptz_ns: () => new TimestampNanosecond('UTC'),
  string: () => new Utf8(),
  uuid: () => new FixedSizeBinary(16),
  fixed: (type) => new FixedSizeBinary(fixedLength(type) ?? 0),
  binary: () => new Binary(),
  unknown: refuse,
  variant: refuse,
  geometry: refuse,
  geography: refuse,
};

/** The Arrow schema of a table's rows; every field, nested ones too, carries its Iceberg id. Errors: `unsupported` for types that this version does not write. */
export function arrowSchema(schema: Pick<Schema, 'fields'>): ArrowSchema {
  return new ArrowSchema(schema.fields.map(arrowField));
}

/** The Arrow type that rows of an Iceberg type are buffered in. */
export function arrowType(type: Type): DataType {
  if (typeof type === 'string') return primitives[primitiveKind(type)](type);
  if (type.type === 'struct') return new Struct(type.fields.map(arrowField));
  if (type.type === 'list') {
    const required = type['element-required'];
    return new List(arrowField({ id: type['element-id'], name: 'element', required, type: type.element }));
  }
  const entries = new Struct([
    arrowField({ id: type['key-id'], name: 'key', required: true, type: type.key }),
    arrowField({
      id: type['value-id'],
      name: 'value',
      required: type['value-required'],
      type: type.value,
    }),
  ]);
  return new Map_(new Field('key_value', entries, false));
}

/** True if Arrow holds values of the two types in the same way (texts with short or long offsets count as one). */
export function sameArrowType(arrow: DataType, type: Type): boolean {
  const plain = (text: string): string =>
    text.replace(/^Large/, '').replace(/(Timestamp<\w+, ).*>/, '$1zone>');
  return plain(String(arrow)) === plain(String(arrowType(type)));
}

function arrowField(field: NestedField): Field {
  return new Field(
    field.name,
    arrowType(field.type),
    !field.required,
    new Map([[FIELD_ID, String(field.id)]]),
  );
}

function refuse(type: PrimitiveType): never {
  throw new LakeError('unsupported', `This version does not write columns of the type ${type}`, {
    hint: 'Write the table with an engine that knows the type.',
  });
}
