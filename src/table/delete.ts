import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView, dropTableView } from '../engine/iceberg-view.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { isKind, LakeError } from '../errors.ts';
import { type BoundExpression, bind, type Expression } from '../iceberg/expressions.ts';
import { type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
import { parsePredicate } from '../iceberg/predicate-sql.ts';
import { fileMustMatch, partitionMustMatch } from '../iceberg/pruning.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { currentSchema } from '../iceberg/table-metadata.ts';
import { writePositionDeletes } from '../parquet/position-delete-writer.ts';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.ts';
import type { LakeContext } from './context.ts';
import { planScan, type ScanTask, type TableScan } from './scan.ts';
import { type AddedFile, newChange } from './snapshot-files.ts';
import { branchSnapshot, type ChangeOptions, type StagedSnapshot, stageSnapshot } from './stage-snapshot.ts';
import type { Table } from './table.ts';

export interface DeleteOptions extends ChangeOptions, CommitOptions {
  /** A predicate in SQL over the table's columns; rows for which it is true go. */
  readonly where: string;
}

export interface DeleteResult extends CommitResult<StagedDelete> {
  /** Rows that went. */
  readonly deletedRecords: number;
  /** Data files that went as a whole. */
  readonly removedFiles: number;
  readonly deleteFiles: number;
}

interface StagedDelete extends StagedSnapshot {
  readonly counts: Pick<DeleteResult, 'deletedRecords' | 'removedFiles' | 'deleteFiles'>;
}

/** What is to be deleted from a certain set of files; kept between attempts while that set stays the same. */
interface DeletePlan {
  readonly key: string;
  readonly added: readonly AddedFile[];
  readonly removed: ReadonlySet<string>;
  /** Data files among the removed. */
  readonly removedFiles: number;
  readonly records: number;
}

type RowDeletes = Pick<DeletePlan, 'added' | 'removed' | 'records'>;

/**
 * Deletes the rows for which a predicate is true: files whose rows all match go by metadata alone, the others get position deletes (merge on read), one file a partition.
 * No row, no snapshot. Errors: `usage` for a predicate that does not parse or names no column; as `commitWithRetry`.
 */
export async function deleteWhere(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  options: DeleteOptions,
): Promise<DeleteResult> {
  const ids = newChange(context.clock);
  let plan: DeletePlan | null = null;
  const result = await commitWithRetry<StagedDelete>(
    context,
    identifier,
    async (table) => {
      plan = await planDelete(table, engine, options, plan);
      if (plan.records === 0) return null;
      const staged = await stageSnapshot(table, ids, {
        ...options,
        operation: 'delete',
        added: plan.added,
        removed: plan.removed,
      });
      return {
        ...staged,
        counts: {
          deletedRecords: plan.records,
          removedFiles: plan.removedFiles,
          deleteFiles: plan.added.length,
        },
      };
    },
    options,
  );
  return { ...result, ...(result.staged?.counts ?? { deletedRecords: 0, removedFiles: 0, deleteFiles: 0 }) };
}

/** The predicate for pruning; undefined where it is beyond what pruning understands, and rows decide alone. */
function pruningFilter(where: string): Expression | undefined {
  try {
    return parsePredicate(where);
  } catch (error) {
    if (isKind(error, 'unsupported', 'usage', 'invalid-argument')) return undefined;
    throw error;
  }
}

/** Drops a filter that does not bind to the schema: the engine then says what is wrong with it, or understands it. */
function bindable(
  filter: Expression | undefined,
  table: Table,
): { filter: Expression; bound: BoundExpression } | undefined {
  if (!filter) return undefined;
  try {
    return { filter, bound: bind(filter, currentSchema(table.metadata)) };
  } catch (error) {
    if (error instanceof LakeError) return undefined;
    throw error;
  }
}

async function planDelete(
  table: Table,
  engine: DuckDbEngine,
  options: DeleteOptions,
  before: DeletePlan | null,
): Promise<DeletePlan> {
  await checkPredicate(table, engine, options.where);
  const snapshot = branchSnapshot(table.metadata, options.branch ?? MAIN_BRANCH);
  if (!snapshot) return { key: '', added: [], removed: new Set(), removedFiles: 0, records: 0 };
  const understood = bindable(pruningFilter(options.where), table);
  const planned = await planScan(table, {
    snapshotId: snapshot['snapshot-id'],
    ...(understood ? { filter: understood.filter } : {}),
  });
  const scan: TableScan = { ...planned, schema: currentSchema(table.metadata) };
  const key = JSON.stringify(
    scan.tasks.map((task) => [task.dataFile.filePath, task.deletes.map((found) => found.dataFile.filePath)]),
  );
  if (before?.key === key) return before;
  const whole = scan.tasks.filter(
    (task) => understood !== undefined && mustMatch(understood.bound, scan, task),
  );
  const rest = await deleteRows(
    table,
    engine,
    { ...scan, tasks: scan.tasks.filter((task) => !whole.includes(task)) },
    options.where,
  );
  const gone = new Set([...whole.map((task) => task.dataFile.filePath), ...rest.removed]);
  return {
    key,
    added: rest.added,
    removed: new Set([...gone, ...danglingDeletes(scan, gone)]),
    removedFiles: gone.size,
    records: rest.records + (await liveRecords(engine, { ...scan, tasks: whole })),
  };
}

/** Position delete files that name nothing but files that go. */
function* danglingDeletes(scan: TableScan, gone: ReadonlySet<string>): Iterable<string> {
  for (const found of scan.tasks.flatMap((task) => task.deletes)) {
    const { referencedDataFile, filePath } = found.dataFile;
    if (referencedDataFile !== undefined && gone.has(referencedDataFile)) yield filePath;
  }
}

/** The rows that a scan still shows; files are only read where deletes apply to them. */
async function liveRecords(engine: DuckDbEngine, scan: TableScan): Promise<number> {
  const known = scan.tasks
    .filter((task) => task.deletes.length === 0)
    .reduce((sum, task) => sum + task.dataFile.recordCount, 0);
  const tasks = scan.tasks.filter((task) => task.deletes.length > 0);
  if (tasks.length === 0) return known;
  const view = quoteName(`lake delete ${engine.nextId()}`);
  try {
    await createTableView(engine, view, { ...scan, tasks });
    const [row] = await engine.all(`SELECT count(*) AS n FROM ${view}`);
    return known + Number(row?.['n'] ?? 0);
  } finally {
    await dropTableView(engine, view);
  }
}

const mustMatch = (bound: BoundExpression, scan: TableScan, task: ScanTask): boolean =>
  partitionMustMatch(bound, scan.schema, task.spec, task.dataFile.partition) ||
  fileMustMatch(bound, scan.schema, task.dataFile);

/** Lets the engine check the predicate over an empty table with the same columns, so that errors name the predicate alone. */
async function checkPredicate(table: Table, engine: DuckDbEngine, where: string): Promise<void> {
  const name = quoteName(`lake delete check ${engine.nextId()}`);
  await createTableView(engine, name, {
    table: table.name,
    metadata: table.metadata,
    schema: currentSchema(table.metadata),
    tasks: [],
  });
  try {
    await engine.describe(`SELECT 1 FROM ${name} WHERE (${where}\n)`);
  } finally {
    await dropTableView(engine, name);
  }
}

async function deleteRows(
  table: Table,
  engine: DuckDbEngine,
  scan: TableScan,
  where: string,
): Promise<RowDeletes> {
  if (scan.tasks.length === 0) return { added: [], removed: new Set(), records: 0 };
  const id = engine.nextId();
  const view = quoteName(`lake delete ${id}`);
  const hits = quoteName(`lake delete hits ${id}`);
  try {
    await createTableView(engine, view, scan, { positions: true });
    await engine.run(
      `CREATE TABLE ${hits} AS SELECT __lake_location AS file_path, __lake_pos AS pos FROM ${view} WHERE (${where}\n)`,
    );
    const counts = await engine.all(`SELECT file_path, count(*) AS n FROM ${hits} GROUP BY file_path`);
    return await splitHits(
      table,
      engine,
      scan,
      hits,
      new Map(counts.map((row) => [String(row['file_path']), Number(row['n'])])),
    );
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${hits}`);
    await dropTableView(engine, view);
  }
}

/** Files that lose every row go as a whole; the rest get position deletes by partition. */
async function splitHits(
  table: Table,
  engine: DuckDbEngine,
  scan: TableScan,
  hits: string,
  counts: ReadonlyMap<string, number>,
): Promise<RowDeletes> {
  const hit = scan.tasks.filter((task) => (counts.get(task.dataFile.filePath) ?? 0) > 0);
  const isEmptied = (task: ScanTask): boolean =>
    counts.get(task.dataFile.filePath) === task.dataFile.recordCount;
  const removed = new Set(hit.filter(isEmptied).map((task) => task.dataFile.filePath));
  const groups = Map.groupBy(
    hit.filter((task) => !isEmptied(task)),
    (task) => `${task.spec['spec-id']} ${partitionKey(task.dataFile.partition)}`,
  );
  const added: AddedFile[] = [];
  for (const tasks of groups.values()) added.push(...(await deletesOfPartition(table, engine, hits, tasks)));
  return { added, removed, records: [...counts.values()].reduce((sum, n) => sum + n, 0) };
}

async function deletesOfPartition(
  table: Table,
  engine: DuckDbEngine,
  hits: string,
  tasks: readonly ScanTask[],
): Promise<AddedFile[]> {
  const { metadata, context } = table;
  const spec: PartitionSpec = tasks[0]!.spec;
  const paths = tasks.map((task) => quoteText(task.dataFile.filePath)).join(', ');
  const files = await writePositionDeletes(engine, {
    sql: `SELECT file_path, pos FROM ${hits} WHERE file_path IN (${paths})`,
    schema: currentSchema(metadata),
    spec,
    partition: tasks[0]!.dataFile.partition,
    location: metadata.location,
    clock: context.clock,
  });
  return files.map((dataFile) => ({ dataFile, specId: spec['spec-id'] }));
}
