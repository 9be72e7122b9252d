import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { bind } from '../iceberg/expressions.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import { fileMayMatch, partitionMayMatch } from '../iceberg/pruning.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { currentSchema, type TableMetadata } from '../iceberg/table-metadata.ts';
import { type WriteResult, writtenFiles } from './append.ts';
import { type CommitOptions, commitWithRetry } from './commit.ts';
import type { LakeContext } from './context.ts';
import { type RowMode, type RowRemoval, removeRows, rowMode } from './remove-rows.ts';
import { planScan } from './scan.ts';
import { type AddedFile, newChange } from './snapshot-files.ts';
import {
  branchScan,
  branchSnapshot,
  type ChangeOptions,
  checkWritable,
  type StagedSnapshot,
  stageSnapshot,
} from './stage-snapshot.ts';
import { openTable, type Table } from './table.ts';
import { dropBatch, matchingRows, stageBatch, type UpsertBatch } from './upsert-batch.ts';
import { isolationLevel, validateSince } from './validate-since.ts';
import { writeTableSelect } from './write-table.ts';

export interface UpsertOptions extends ChangeOptions, CommitOptions {
  /** The rows, one a key; columns as for `appendSelect`. */
  readonly sql: string;
  /** Top-level columns that identify a row; none may be null. */
  readonly keys: readonly string[];
  /** Default: the table's `write.upsert.mode`, else `write.merge.mode`, else copy-on-write. */
  readonly mode?: RowMode;
  /**
   * The snapshot that the rows were derived from (null: the empty table). If rows of these keys have changed on the branch since, the upsert fails
   * with `stale-plan`; how strictly, `write.merge.isolation-level` says.
   */
  readonly basedOn?: bigint | null;
}

export interface UpsertResult extends WriteResult {
  /** Rows of the table that gave way to rows with the same key. */
  readonly replacedRecords: number;
  readonly mode: RowMode;
}

/** What makes room for the batch in a certain set of files; kept between attempts while that set stays the same. */
interface UpsertPlan {
  readonly key: string;
  readonly removal: RowRemoval;
  readonly added: readonly AddedFile[];
}

interface StagedUpsert extends StagedSnapshot {
  readonly replacedRecords: number;
}

/**
 * Adds rows and takes out those with the same keys, wherever they lie (a row may change its partition), in one snapshot: by position deletes or by
 * writing the files anew. Only files that may hold one of the keys are read. The new rows are written once; after a conflict the rows that they
 * replace are looked up anew, so that keys stay unique whoever came first. No rows, no snapshot.
 * Errors: as `stageBatch`, `writeSelect` and `commitWithRetry`; `stale-plan` see `basedOn`; `unsupported` for tables that are not format v2.
 */
export async function upsertSelect(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  options: UpsertOptions,
): Promise<UpsertResult> {
  const table = await openTable(context, identifier);
  checkWritable(table);
  // Fails before anything is written if the branch is a tag.
  branchSnapshot(table.metadata, options.branch);
  const mode = options.mode ?? upsertMode(table.metadata);
  const batch = await stageBatch(engine, currentSchema(table.metadata), options);
  try {
    const files =
      batch.records === 0 ? [] : await writeTableSelect(table, engine, `SELECT * FROM ${batch.rows}`);
    const ids = newChange(context.clock);
    let plan: UpsertPlan | null = null;
    const derive = async (current: Table): Promise<StagedUpsert | null> => {
      if (files.length === 0) return null;
      await validate(current, batch, options);
      plan = await planUpsert(current, engine, { batch, files, mode, options }, plan);
      const staged = await stageSnapshot(current, ids, {
        ...options,
        operation: 'overwrite',
        added: plan.added,
        removed: plan.removal.removed,
      });
      return { ...staged, replacedRecords: plan.removal.records };
    };
    const result = await commitWithRetry(context, identifier, derive, {
      ...options,
      writtenFor: table.metadata,
    });
    const replacedRecords = result.staged?.replacedRecords ?? 0;
    return { ...result, ...writtenFiles(files), replacedRecords, mode };
  } finally {
    await dropBatch(engine, batch);
  }
}

const upsertMode = (metadata: TableMetadata): RowMode =>
  rowMode(metadata, 'write.upsert.mode', rowMode(metadata, 'write.merge.mode', 'copy-on-write'));

async function validate(table: Table, batch: UpsertBatch, options: UpsertOptions): Promise<void> {
  if (options.basedOn === undefined) return;
  const schema = currentSchema(table.metadata);
  const bound = bind(batch.filter, schema);
  await validateSince(table, {
    branch: options.branch ?? MAIN_BRANCH,
    since: options.basedOn,
    isolation: isolationLevel(table.metadata, 'write.merge.isolation-level'),
    concerns: (file: DataFile, spec: PartitionSpec) =>
      partitionMayMatch(bound, schema, spec, file.partition) &&
      (file.content === 'position-deletes' || fileMayMatch(bound, schema, file)),
  });
}

interface UpsertWork {
  readonly batch: UpsertBatch;
  readonly files: readonly AddedFile[];
  readonly mode: RowMode;
  readonly options: UpsertOptions;
}

async function planUpsert(
  table: Table,
  engine: DuckDbEngine,
  { batch, files, mode, options }: UpsertWork,
  before: UpsertPlan | null,
): Promise<UpsertPlan> {
  const scan = await planScan(table, { ...branchScan(table.metadata, options.branch), filter: batch.filter });
  const key = JSON.stringify(
    scan.tasks.map((task) => [task.dataFile.filePath, task.deletes.map((found) => found.dataFile.filePath)]),
  );
  if (before?.key === key) return before;
  const removal = await removeRows(table, engine, scan, mode, (view) => matchingRows(batch, view));
  return { key, removal, added: [...files, ...removal.added] };
}
