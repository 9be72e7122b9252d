import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { type CommitOptions, type CommitResult, commitWithRetry, type Derive } from './commit.ts';
import type { LakeContext } from './context.ts';
import { type AddedFile, type ChangeIds, newChange } from './snapshot-files.ts';
import {
  branchSnapshot,
  type ChangeOptions,
  checkWritable,
  type StagedSnapshot,
  stageSnapshot,
} from './stage-snapshot.ts';
import { openTable } from './table.ts';
import { writeTableSelect } from './write-table.ts';

/** What a write did. */
export interface WriteResult extends CommitResult<StagedSnapshot> {
  readonly files: readonly DataFile[];
  /** Rows written. */
  readonly records: number;
}

export interface AppendOptions extends ChangeOptions, CommitOptions {}

/** The change that adds data files to a table; null for none. */
export function appendFiles(
  ids: ChangeIds,
  files: readonly AddedFile[],
  options: ChangeOptions = {},
): Derive<StagedSnapshot> {
  return async (table) =>
    files.length === 0 ? null : stageSnapshot(table, ids, { ...options, operation: 'append', added: files });
}

/**
 * Writes a query's rows to a table as new files and commits them. No rows, no snapshot. Errors: as `writeSelect` and `commitWithRetry`.
 */
export async function appendSelect(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  request: AppendOptions & { readonly sql: string },
): Promise<WriteResult> {
  return commitSelect(context, engine, identifier, request, appendFiles);
}

/**
 * Writes a query's rows as new files and commits the change that `change` makes of them. Errors: as `writeSelect` and `commitWithRetry`.
 */
export async function commitSelect<R extends AppendOptions & { readonly sql: string }>(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  request: R,
  change: (ids: ChangeIds, files: readonly AddedFile[], options: R) => Derive<StagedSnapshot>,
): Promise<WriteResult> {
  const table = request.table ?? (await openTable(context, identifier));
  checkWritable(table);
  // Fails before anything is written if the branch is a tag.
  branchSnapshot(table.metadata, request.branch ?? MAIN_BRANCH);
  const added = await writeTableSelect(table, engine, request.sql);
  const derive = change(newChange(context.clock), added, request);
  const result = await commitWithRetry(context, identifier, derive, {
    ...request,
    writtenFor: table.metadata,
  });
  return { ...result, ...writtenFiles(added) };
}

/** The files of a write and their rows. */
export function writtenFiles(added: readonly AddedFile[]): Pick<WriteResult, 'files' | 'records'> {
  const files = added.map((file) => file.dataFile);
  return { files, records: files.reduce((sum, file) => sum + file.recordCount, 0) };
}
