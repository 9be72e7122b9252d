import { DuckDBListValue, DuckDBMapValue, DuckDBStructValue, type DuckDBValue } from '@duckdb/node-api';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { Schema } from '../iceberg/schema.ts';
import { isList, isMap, isPrimitive, isStruct, type Type } from '../iceberg/types.ts';
import type { Cell } from './cell.ts';
import { StreamWriter, type StreamWriterOptions } from './stream-writer.ts';

/** True for types of which the engine's own Parquet writer makes another one: it has no bytes of a fixed length. */
export function needsStreaming(type: Type): boolean {
  if (isPrimitive(type)) return type.startsWith('fixed[');
  if (isStruct(type)) return type.fields.some((field) => needsStreaming(field.type));
  return isList(type) ? needsStreaming(type.element) : needsStreaming(type.key) || needsStreaming(type.value);
}

/**
 * Writes a query's rows, which come in the schema's columns and types, by the streaming writer. If it throws, the files are gone again.
 * Errors: as `StreamWriter`.
 */
export async function writeStreamed(
  engine: DuckDbEngine,
  sql: string,
  options: StreamWriterOptions,
): Promise<DataFile[]> {
  const writer = new StreamWriter(options);
  try {
    for await (const rows of engine.values(sql)) {
      await writer.writeRows(rows.map((row) => cells(options.schema, row)));
    }
    return await writer.close();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

const cells = (schema: Schema, row: readonly DuckDBValue[]): Cell[] =>
  schema.fields.map((field, i) => cellOf(field.type, row[i] ?? null));

function cellOf(type: Type, value: DuckDBValue): Cell {
  if (value === null) return null;
  if (isPrimitive(type)) return icebergValue(type, value);
  if (isStruct(type) && value instanceof DuckDBStructValue) {
    return type.fields.map((field) => cellOf(field.type, value.entries[field.name] ?? null));
  }
  if (isList(type) && value instanceof DuckDBListValue) {
    return value.items.map((item) => cellOf(type.element, item));
  }
  if (isMap(type) && value instanceof DuckDBMapValue) {
    return value.entries.map((entry) => [cellOf(type.key, entry.key), cellOf(type.value, entry.value)]);
  }
  throw new LakeError('internal', 'DuckDB gave a nested value of another type than was asked for');
}
