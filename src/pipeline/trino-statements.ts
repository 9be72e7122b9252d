import { quoteName, viewName } from '../engine/sql-text.ts';
import type { Schema } from '../iceberg/schema.ts';
import { isPrimitive, primitiveKind } from '../iceberg/types.ts';
import type { TrinoResult } from './build-work.ts';

const names = (schema: Schema): string[] => schema.fields.map(({ name }) => quoteName(name));

/** INSERT of those rows of a Trino result that a condition (on the table's columns) holds for. */
export function insertStatement(
  target: string,
  result: TrinoResult,
  schema: Schema,
  condition: string,
): string {
  const columns = names(schema).join(', ');
  return `INSERT INTO ${target} (${columns}) SELECT ${columns} FROM ${stagingName(result)} WHERE ${condition}`;
}

/** MERGE of those rows of a Trino result that a condition (on the table's columns) holds for: rows are told by their keys, and those that are the same stay. */
export function mergeStatement(
  target: string,
  result: TrinoResult,
  schema: Schema,
  condition: string,
  keys: readonly string[],
): string {
  const columns = names(schema);
  const own = keys.map(quoteName);
  const others = columns.filter((name) => !own.includes(name));
  const update =
    others.length === 0
      ? []
      : [
          `WHEN MATCHED AND (${others.map((name) => `t.${name} IS DISTINCT FROM s.${name}`).join(' OR ')})`,
          `THEN UPDATE SET ${others.map((name) => `${name} = s.${name}`).join(', ')}`,
        ];
  return [
    `MERGE INTO ${target} AS t`,
    `USING (SELECT ${columns.join(', ')} FROM ${stagingName(result)} WHERE ${condition}) AS s`,
    `ON ${own.map((name) => `t.${name} = s.${name}`).join(' AND ')}`,
    ...update,
    `WHEN NOT MATCHED THEN INSERT (${columns.join(', ')}) VALUES (${columns.map((name) => `s.${name}`).join(', ')})`,
  ].join('\n');
}

/** False where Trino and the embedded engine do not agree on what is the same key: NaN and the two zeros. */
export function canMergeBy(schema: Schema, keys: readonly string[]): boolean {
  return schema.fields
    .filter(({ name }) => keys.includes(name))
    .every(({ type }) => isPrimitive(type) && !['float', 'double'].includes(primitiveKind(type)));
}

function stagingName({ trino, staging }: TrinoResult): string {
  return `${quoteName(trino.catalog)}.${viewName(staging)}`;
}
