import type { DuckDbEngine } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { quoteName } from '../engine/sql-text.ts';
import { transformSql } from '../engine/transform-sql.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { SortOrder } from '../iceberg/sort-order.ts';
import { isPrimitive, isStruct, type NestedField, type PrimitiveType } from '../iceberg/types.ts';

export interface SelectRequest {
  /** A query whose columns are those of the schema by name, in any order; optional ones may be left out. */
  readonly sql: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** Rows of each file are sorted by it. */
  readonly sort?: SortOrder;
}

/** The values of the partition's fields as SQL over the schema's columns. */
export function partitionKeys(request: SelectRequest): string[] {
  return request.spec.fields.map((field) => {
    if (field.transform === 'void') return 'CAST(NULL AS INTEGER)';
    const column = sourceColumn(request.schema, field['source-id']);
    return transformSql(field.transform, column.type, column.sql);
  });
}

/** The query with its columns cast to the schema's types, in the schema's order. Errors: `invalid-argument` for columns that do not fit it, `usage`. */
export async function castSelect(engine: DuckDbEngine, request: SelectRequest): Promise<string> {
  const columns = (await engine.describe(request.sql)).map((column) => column.name);
  const names = request.schema.fields.map((field) => field.name);
  for (const [i, column] of columns.entries()) {
    if (columns.indexOf(column) !== i)
      throw new LakeError('invalid-argument', `The query gives the column "${column}" twice`, {
        hint: 'Give one of them another name.',
      });
    if (names.includes(column)) continue;
    const near = nearestName(column, names);
    throw new LakeError(
      'invalid-argument',
      `The query gives a column "${column}", which the table does not have`,
      {
        hint: near === null ? `Its columns are ${names.join(', ')}.` : `Did you mean "${near}"?`,
      },
    );
  }
  const parts = request.schema.fields.map((field) => castColumn(field, columns));
  return `SELECT ${parts.join(', ')} FROM (${request.sql}) AS q`;
}

function castColumn(field: NestedField, columns: readonly string[]): string {
  const { type } = field;
  if (typeof type === 'string' && type.endsWith('_ns')) {
    throw new LakeError(
      'unsupported',
      `This version does not write the type ${type} of the column "${field.name}"`,
      { hint: 'Use timestamp or timestamptz.' },
    );
  }
  const name = quoteName(field.name);
  if (columns.includes(field.name)) return `CAST(q.${name} AS ${duckDbType(type)}) AS ${name}`;
  if (!field.required) return `CAST(NULL AS ${duckDbType(type)}) AS ${name}`;
  throw new LakeError('invalid-argument', `The query lacks the required column "${field.name}"`, {
    hint: `It gives ${columns.join(', ')}.`,
  });
}

/** ` ORDER BY` the keys, then the sort order; empty if there is neither. */
export function orderBy(request: Pick<SelectRequest, 'schema' | 'sort'>, keys: readonly string[]): string {
  const fields = (request.sort?.fields ?? []).map((field) => {
    const column = sourceColumn(request.schema, field['source-id']);
    const direction = `${field.direction === 'asc' ? 'ASC' : 'DESC'} ${field['null-order'] === 'nulls-first' ? 'NULLS FIRST' : 'NULLS LAST'}`;
    return `${transformSql(field.transform, column.type, column.sql)} ${direction}`;
  });
  const all = [...keys, ...fields];
  return all.length === 0 ? '' : ` ORDER BY ${all.join(', ')}`;
}

interface SourceColumn {
  /** SQL of its value in a row of the schema's columns: null where a struct around it is. */
  readonly sql: string;
  readonly type: PrimitiveType;
}

/** A primitive column by id, at the top or in structs (spec: "Partitioning"). */
export function sourceColumn(schema: Schema, id: number): SourceColumn {
  const found = findSource(schema.fields, id, (field) => quoteName(field.name));
  if (found) return found;
  throw new LakeError(
    'unsupported',
    `The partition spec or sort order names the field ${id}, which is no primitive column and in no struct of the table`,
    {
      hint: 'Rows cannot be partitioned or sorted by what is in a list or map, or dropped. Nothing was written.',
    },
  );
}

function findSource(
  fields: readonly NestedField[],
  id: number,
  sqlOf: (field: NestedField, at: number) => string,
): SourceColumn | null {
  for (const [i, field] of fields.entries()) {
    const sql = sqlOf(field, i);
    if (field.id === id && isPrimitive(field.type)) return { sql, type: field.type };
    if (!isStruct(field.type)) continue;
    const below = findSource(field.type.fields, id, (_, at) => `struct_extract_at(${sql}, ${at + 1})`);
    if (below) return below;
  }
  return null;
}
