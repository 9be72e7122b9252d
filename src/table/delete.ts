import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView, dropTableView } from '../engine/iceberg-view.ts';
import { quoteName } from '../engine/sql-text.ts';
import { isKind, LakeError } from '../errors.ts';
import { type BoundExpression, bind, type Expression } from '../iceberg/expressions.ts';
import { parsePredicate } from '../iceberg/predicate-sql.ts';
import { fileMustMatch, partitionMustMatch } from '../iceberg/pruning.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { currentSchema } from '../iceberg/table-metadata.ts';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.ts';
import type { LakeContext } from './context.ts';
import { danglingDeletes, type RowRemoval, removeRows, rowMode } from './remove-rows.ts';
import { planScan, type ScanTask, type TableScan } from './scan.ts';
import { newChange } from './snapshot-files.ts';
import {
  branchScan,
  branchSnapshot,
  type ChangeOptions,
  checkWritable,
  type StagedSnapshot,
  stageSnapshot,
} from './stage-snapshot.ts';
import type { Table } from './table.ts';
import { isAppendOnlySince, isolationLevel } from './validate-since.ts';

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
  /** New data files that hold what stays of others (copy on write). */
  readonly rewrittenFiles: number;
}

interface StagedDelete extends StagedSnapshot {
  readonly counts: Pick<DeleteResult, 'deletedRecords' | 'removedFiles' | 'deleteFiles' | 'rewrittenFiles'>;
}

/** What is to be deleted from a certain set of files; kept between attempts while that set stays the same. */
interface DeletePlan extends RowRemoval {
  readonly key: string;
}

/**
 * Deletes the rows for which a predicate is true: files whose rows all match go by metadata alone; the others get position deletes, one file a partition, or are
 * written anew where the table property `write.delete.mode` is copy-on-write. After a conflict the predicate is applied anew to the table as it is then.
 * With `write.delete.isolation-level` snapshot, rows that others appended since the first attempt stay. No row, no snapshot. Errors: `usage` for a predicate that does not parse or names no column; as `commitWithRetry`.
 */
export async function deleteWhere(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  options: DeleteOptions,
): Promise<DeleteResult> {
  const ids = newChange(context.clock);
  let plan: DeletePlan | null = null;
  let start: Snapshot | null | undefined;
  const result = await commitWithRetry<StagedDelete>(
    context,
    identifier,
    async (table) => {
      checkWritable(table);
      if (start === undefined) start = branchSnapshot(table.metadata, options.branch) ?? null;
      plan = await planDelete(table, engine, { ...options, start }, plan);
      if (plan.records === 0) return null;
      const staged = await stageSnapshot(table, ids, {
        ...options,
        operation: plan.added.some((file) => file.dataFile.content === 'data') ? 'overwrite' : 'delete',
        added: plan.added,
        removed: plan.removed,
      });
      return {
        ...staged,
        counts: countsOf(plan),
      };
    },
    options,
  );
  return { ...result, ...(result.staged?.counts ?? countsOf(EMPTY)) };
}

const EMPTY: DeletePlan = { key: '', added: [], removed: new Set(), removedFiles: 0, records: 0 };

function countsOf(plan: DeletePlan): StagedDelete['counts'] {
  const deletes = plan.added.filter((file) => file.dataFile.content !== 'data').length;
  return {
    deletedRecords: plan.records,
    removedFiles: plan.removedFiles,
    deleteFiles: deletes,
    rewrittenFiles: plan.added.length - deletes,
  };
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
  options: DeleteOptions & { readonly start: Snapshot | null },
  before: DeletePlan | null,
): Promise<DeletePlan> {
  await checkPredicate(table, engine, options.where);
  const understood = bindable(pruningFilter(options.where), table);
  const planned = await planScan(table, {
    ...branchScan(table.metadata, options.branch),
    ...(understood ? { filter: understood.filter } : {}),
  });
  const scan: TableScan = { ...planned, tasks: visibleTasks(table, planned, options) };
  if (scan.tasks.length === 0) return EMPTY;
  const key = JSON.stringify(
    scan.tasks.map((task) => [task.dataFile.filePath, task.deletes.map((found) => found.dataFile.filePath)]),
  );
  if (before?.key === key) return before;
  const whole = scan.tasks.filter(
    (task) => understood !== undefined && mustMatch(understood.bound, scan, task),
  );
  const rest = await removeRows(
    table,
    engine,
    { ...scan, tasks: scan.tasks.filter((task) => !whole.includes(task)) },
    rowMode(table.metadata, 'write.delete.mode', 'merge-on-read'),
    (view) =>
      `SELECT __lake_location AS file_path, __lake_pos AS pos FROM ${view} WHERE (${options.where}\n)`,
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

/**
 * The files that the delete sees. Under snapshot isolation those that others appended since the first attempt are not among them; where more
 * than appends came, a compaction may have written old rows anew, and all are looked at.
 */
function visibleTasks(
  table: Table,
  scan: TableScan,
  { branch = MAIN_BRANCH, start }: { readonly branch?: string; readonly start: Snapshot | null },
): readonly ScanTask[] {
  if (isolationLevel(table.metadata, 'write.delete.isolation-level') === 'serializable') return scan.tasks;
  if (!isAppendOnlySince(table, branch, start?.['snapshot-id'] ?? null)) return scan.tasks;
  const youngest = start?.['sequence-number'] ?? 0;
  return scan.tasks.filter((task) => task.sequenceNumber <= youngest);
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
