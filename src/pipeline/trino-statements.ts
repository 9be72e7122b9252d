import { quoteName, viewName } from '../engine/sql-text.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
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

/** False for a table whose files are to be of another format, which Trino minds and the embedded engine would not read. */
export function writesParquet({ properties }: TableMetadata): boolean {
  return (properties['write.format.default'] ?? 'parquet').toLowerCase() === 'parquet';
}

/** True for a table that is not to get delete files, which is all that Trino's MERGE can do. */
export function upsertsOnlyByCopy({ properties }: TableMetadata): boolean {
  return (properties['write.upsert.mode'] ?? properties['write.merge.mode']) === 'copy-on-write';
}

function stagingName({ trino, staging }: TrinoResult): string {
  return `${quoteName(trino.catalog)}.${viewName(staging)}`;
}
