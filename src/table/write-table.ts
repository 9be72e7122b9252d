import type { DuckDbEngine } from '../engine/duckdb.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import { DEFAULT_TARGET_FILE_SIZE, writeSelect } from '../parquet/set-writer.ts';
import type { AddedFile } from './snapshot-files.ts';
import type { Table } from './table.ts';

/** Writes a query's rows as data files of a table, by its current schema, default spec, sort order and properties. */
export async function writeTableSelect(
  table: Table,
  engine: DuckDbEngine,
  sql: string,
): Promise<AddedFile[]> {
  const { metadata, context } = table;
  const spec = defaultSpec(metadata);
  const sort = metadata['sort-orders'].find(
    (order) => order['order-id'] === metadata['default-sort-order-id'],
  );
  const files = await writeSelect(engine, {
    sql,
    schema: currentSchema(metadata),
    spec,
    location: metadata.location,
    targetFileSizeBytes: Number(
      metadata.properties['write.target-file-size-bytes'] ?? DEFAULT_TARGET_FILE_SIZE,
    ),
    objects: context.objects,
    clock: context.clock,
    properties: metadata.properties,
    ...(sort && sort.fields.length > 0 ? { sort } : {}),
  });
  return files.map((dataFile) => ({ dataFile, specId: spec['spec-id'] }));
}
