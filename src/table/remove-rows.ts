import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView, dropTableView } from '../engine/iceberg-view.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { partitionKey } from '../iceberg/partition-spec.ts';
import { currentSchema, type TableMetadata } from '../iceberg/table-metadata.ts';
import { writePositionDeletes } from '../parquet/position-delete-writer.ts';
import type { ScanTask, TableScan } from './scan.ts';
import type { AddedFile } from './snapshot-files.ts';
import type { Table } from './table.ts';
import { writeTableSelect } from './write-table.ts';

/** How rows leave files that keep others: by writing these anew, or by position deletes beside them. */
export type RowMode = 'copy-on-write' | 'merge-on-read';

/** What takes some rows out of a set of files. */
export interface RowRemoval {
  /** New data files (copy on write) or delete files (merge on read). */
  readonly added: readonly AddedFile[];
  /** Paths of data files that go, and of delete files that then name nothing. */
  readonly removed: ReadonlySet<string>;
  /** Data files among the removed. */
  readonly removedFiles: number;
  /** Rows that go. */
  readonly records: number;
}

const NOTHING: RowRemoval = { added: [], removed: new Set(), removedFiles: 0, records: 0 };

/** A table's mode for an operation by its property, such as `write.delete.mode`. Errors: `invalid-argument` for another value. */
export function rowMode(metadata: TableMetadata, property: string, fallback: RowMode): RowMode {
  const value = metadata.properties[property];
  if (value === undefined) return fallback;
  if (value === 'copy-on-write' || value === 'merge-on-read') return value;
  throw new LakeError('invalid-argument', `The table property ${property} is "${value}"`, {
    hint: 'It takes copy-on-write or merge-on-read. Nothing was changed.',
  });
}

/**
 * Finds rows in the files of a scan and writes what takes them out. `hitsSql` makes of the name of a view of the scan a query that gives
 * `file_path` and `pos` of each row that goes, once. Files that lose every row go as a whole.
 */
export async function removeRows(
  table: Table,
  engine: DuckDbEngine,
  scan: TableScan,
  mode: RowMode,
  hitsSql: (view: string) => string,
): Promise<RowRemoval> {
  if (scan.tasks.length === 0) return NOTHING;
  const id = engine.nextId();
  const view = quoteName(`lake rows ${id}`);
  const hits = quoteName(`lake row hits ${id}`);
  try {
    await createTableView(engine, view, scan, { positions: true });
    await engine.run(`CREATE TABLE ${hits} AS ${hitsSql(view)}`);
    const counts = await engine.all(`SELECT file_path, count(*) AS n FROM ${hits} GROUP BY file_path`);
    const byPath = new Map(counts.map((row) => [String(row['file_path']), Number(row['n'])]));
    return await splitHits({ table, engine, scan, hits, mode }, byPath);
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${hits}`);
    await dropTableView(engine, view);
  }
}

/** Position delete files that name nothing but files that go. */
export function* danglingDeletes(scan: TableScan, gone: ReadonlySet<string>): Iterable<string> {
  for (const found of scan.tasks.flatMap((task) => task.deletes)) {
    const { referencedDataFile, filePath } = found.dataFile;
    if (referencedDataFile !== undefined && gone.has(referencedDataFile)) yield filePath;
  }
}

interface Work {
  readonly table: Table;
  readonly engine: DuckDbEngine;
  readonly scan: TableScan;
  /** A table of the rows that go. */
  readonly hits: string;
  readonly mode: RowMode;
}

async function splitHits(work: Work, counts: ReadonlyMap<string, number>): Promise<RowRemoval> {
  const pathOf = (task: ScanTask): string => task.dataFile.filePath;
  const hit = work.scan.tasks.filter((task) => (counts.get(pathOf(task)) ?? 0) > 0);
  const kept = hit.filter((task) => counts.get(pathOf(task)) !== task.dataFile.recordCount);
  const whole = hit.filter((task) => !kept.includes(task));
  const rewrites = work.mode === 'copy-on-write';
  const gone = new Set((rewrites ? hit : whole).map(pathOf));
  return {
    added: rewrites ? await rewriteWithout(work, kept) : await positionDeletes(work, kept),
    removed: new Set([...gone, ...danglingDeletes(work.scan, gone)]),
    removedFiles: gone.size,
    records: [...counts.values()].reduce((sum, n) => sum + n, 0),
  };
}

/** The rows of files that stay, as new files of the table's current spec. */
async function rewriteWithout(work: Work, tasks: readonly ScanTask[]): Promise<AddedFile[]> {
  if (tasks.length === 0) return [];
  const { table, engine, scan, hits } = work;
  const view = quoteName(`lake kept rows ${engine.nextId()}`);
  try {
    await createTableView(engine, view, { ...scan, tasks }, { positions: true });
    const columns = scan.schema.fields.map((field) => `v.${quoteName(field.name)}`).join(', ');
    return await writeTableSelect(
      table,
      engine,
      `SELECT ${columns} FROM ${view} AS v ANTI JOIN ${hits} AS h ON h.file_path = v.__lake_location AND h.pos = v.__lake_pos`,
    );
  } finally {
    await dropTableView(engine, view);
  }
}

/** One delete file a partition. */
async function positionDeletes(work: Work, tasks: readonly ScanTask[]): Promise<AddedFile[]> {
  const { table, engine, hits } = work;
  const { metadata, context } = table;
  const groups = Map.groupBy(
    tasks,
    (task) => `${task.spec['spec-id']} ${partitionKey(task.dataFile.partition)}`,
  );
  const added: AddedFile[] = [];
  for (const group of groups.values()) {
    const { spec, dataFile } = group[0]!;
    const paths = group.map((task) => quoteText(task.dataFile.filePath)).join(', ');
    const files = await writePositionDeletes(engine, {
      sql: `SELECT file_path, pos FROM ${hits} WHERE file_path IN (${paths})`,
      schema: currentSchema(metadata),
      spec,
      partition: dataFile.partition,
      location: metadata.location,
      objects: context.objects,
      clock: context.clock,
    });
    added.push(...files.map((file) => ({ dataFile: file, specId: spec['spec-id'] })));
  }
  return added;
}
