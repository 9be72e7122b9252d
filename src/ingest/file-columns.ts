import { type DataType, DataType as Kind, Precision, TimeUnit } from 'apache-arrow';
import type { NestedField, Type } from '../iceberg/types.ts';
import { sameArrowType } from '../parquet/arrow-schema.ts';
import { type AvroJson, isAvroJson, readAvroStream } from './avro-blocks.ts';
import { avroReader, type NamedTypes, recordFields } from './avro-value.ts';
import { type InputFile, inputBytes } from './input-bytes.ts';
import { Misfit } from './misfit.ts';
import { parquetBatches } from './parquet-source.ts';

/** A column as a file's own schema has it. */
export interface FileColumn {
  readonly name: string;
  /** Ids of nested fields are 0. Null for what a column cannot be made of: nanoseconds, unsigned 64-bit integers, unions, nulls alone. */
  readonly type: Type | null;
}

/** Types besides decimals, the narrowest first. */
const PLAIN: readonly Type[] = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'string',
  'binary',
];

/** The columns of an Avro file by its header. Errors: `corrupt`, `unsupported`, `not-found`. */
export async function avroColumns(input: InputFile): Promise<FileColumn[]> {
  const schema = await avroSchema(input);
  if (typeof schema === 'string' || Array.isArray(schema) || !('fields' in schema)) return [];
  const names: NamedTypes = new Map();
  return recordFields(schema).map(({ name, type }) => ({ name, type: typeOfAvro(type, names) }));
}

/** The type of an Avro schema's values: the narrowest that holds them all; nested ones of what is in them. */
function typeOfAvro(avro: AvroJson, names: NamedTypes): Type | null {
  if (Array.isArray(avro)) {
    const [only, ...others] = avro.filter((branch) => branch !== 'null');
    return only === undefined || others.length > 0 ? null : typeOfAvro(only, names);
  }
  const plain = [...decimalsOf(avro), ...PLAIN].find((candidate) => isRead(candidate, avro, names));
  if (plain !== undefined) return plain;
  if (typeof avro === 'string' || !('type' in avro)) return null;
  if (avro.type === 'record') {
    return structOf(recordFields(avro).map(({ name, type }) => ({ name, type: typeOfAvro(type, names) })));
  }
  if (avro.type === 'array') return listOf(typeOfAvro(innerOf(avro, 'items'), names));
  return avro.type === 'map' ? mapOf('string', typeOfAvro(innerOf(avro, 'values'), names)) : null;
}

function innerOf(avro: Readonly<Record<string, unknown>>, key: 'items' | 'values'): AvroJson {
  const inner = avro[key];
  return isAvroJson(inner) ? inner : 'null';
}

function structOf(columns: readonly FileColumn[]): Type | null {
  const fields: NestedField[] = [];
  for (const { name, type } of columns) {
    if (type === null) return null;
    fields.push({ id: 0, name, required: false, type });
  }
  return { type: 'struct', fields };
}

const listOf = (element: Type | null): Type | null =>
  element === null ? null : { type: 'list', 'element-id': 0, 'element-required': false, element };

const mapOf = (key: Type | null, value: Type | null): Type | null =>
  key === null || value === null
    ? null
    : { type: 'map', 'key-id': 0, key, 'value-id': 0, 'value-required': false, value };

async function avroSchema(input: InputFile): Promise<AvroJson> {
  const bytes = inputBytes(input);
  try {
    return (await readAvroStream(input.name, bytes)).schema;
  } finally {
    // Closes the file: its blocks are not asked for.
    await bytes.return(undefined);
  }
}

function isRead(type: Type, avro: AvroJson, names: NamedTypes): boolean {
  // Of nulls alone nobody can tell what they are to be.
  if (avro === 'null') return false;
  try {
    avroReader(type, avro, names);
    return true;
  } catch (error) {
    if (error instanceof Misfit) return false;
    throw error;
  }
}

function decimalsOf(avro: AvroJson): Type[] {
  if (Array.isArray(avro)) return avro.flatMap(decimalsOf);
  if (typeof avro === 'string' || !('logicalType' in avro) || avro['logicalType'] !== 'decimal') return [];
  return [`decimal(${Number(avro['precision'])}, ${Number(avro['scale'] ?? 0)})`];
}

/** The columns of a Parquet file; none of a file without rows. Errors: `corrupt`, `not-found`, `usage`. */
export async function parquetColumns(input: InputFile): Promise<FileColumn[]> {
  for await (const { schema } of parquetBatches(input))
    return schema.fields.map(({ name, type }) => ({ name, type: typeOfArrow(type) }));
  return [];
}

function typeOfArrow(arrow: DataType): Type | null {
  if (Kind.isInt(arrow)) {
    const bits = arrow.bitWidth + (arrow.isSigned ? 0 : 1);
    return bits <= 32 ? 'int' : bits <= 64 ? 'long' : null;
  }
  if (Kind.isFloat(arrow)) return arrow.precision === Precision.DOUBLE ? 'double' : 'float';
  if (Kind.isDecimal(arrow)) return `decimal(${arrow.precision}, ${arrow.scale})`;
  if (Kind.isTimestamp(arrow)) {
    if (arrow.unit === TimeUnit.NANOSECOND) return null;
    return arrow.timezone ? 'timestamptz' : 'timestamp';
  }
  if (Kind.isStruct(arrow))
    return structOf(arrow.children.map(({ name, type }) => ({ name, type: typeOfArrow(type) })));
  if (Kind.isList(arrow)) return listOf(typeOfArrow(arrow.valueType));
  if (Kind.isMap(arrow)) return mapOf(typeOfArrow(arrow.keyType), typeOfArrow(arrow.valueType));
  return PLAIN.find((type) => sameArrowType(arrow, type)) ?? null;
}
