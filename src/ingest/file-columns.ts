import { type DataType, DataType as Kind, Precision, TimeUnit } from 'apache-arrow';
import type { Type } from '../iceberg/types.ts';
import { sameArrowType } from '../parquet/arrow-schema.ts';
import { type AvroJson, readAvroStream } from './avro-blocks.ts';
import { avroReader, type NamedTypes, recordFields } from './avro-value.ts';
import { type InputFile, inputBytes } from './input-bytes.ts';
import { Misfit } from './misfit.ts';
import { parquetBatches } from './parquet-source.ts';

/** A column as a file's own schema has it. */
export interface FileColumn {
  readonly name: string;
  /** Null for types that a new column may not have: nested ones, nanoseconds, unsigned 64-bit integers. */
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
  return recordFields(schema).map(({ name, type }) => ({
    name,
    type: [...decimalsOf(type), ...PLAIN].find((candidate) => isRead(candidate, type, names)) ?? null,
  }));
}

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
  return PLAIN.find((type) => sameArrowType(arrow, type)) ?? null;
}
