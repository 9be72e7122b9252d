import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { LakeError } from '../errors.ts';
import { isUnpartitioned, partitionKey } from '../iceberg/partition-spec.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { specById } from '../iceberg/table-metadata.ts';
import { commitSelect, type WriteResult } from './append.ts';
import type { CommitOptions, Derive } from './commit.ts';
import type { LakeContext } from './context.ts';
import { liveEntries, type SnapshotEntry } from './manifests.ts';
import type { AddedFile, ChangeIds } from './snapshot-files.ts';
import { branchSnapshot, type ChangeOptions, type StagedSnapshot, stageSnapshot } from './stage-snapshot.ts';
import type { Table } from './table.ts';
import { validateSince } from './validate-since.ts';

export interface OverwriteOptions extends ChangeOptions, CommitOptions {
  /** `partitions` (default) replaces the partitions that the new rows fall into, `table` every row there is. */
  readonly replace?: 'partitions' | 'table';
  /**
   * The snapshot that the new rows were derived from (null: the empty table). If rows came into the replaced partitions, or went from them, until the overwrite is committed, it fails with `stale-plan` instead of replacing rows that nobody looked at.
   */
  readonly basedOn?: bigint | null;
}

/** The change that replaces partitions, or the whole table, by new files. */
export function overwriteFiles(
  ids: ChangeIds,
  files: readonly AddedFile[],
  options: OverwriteOptions = {},
): Derive<StagedSnapshot> {
  return async (table) => {
    const base = branchSnapshot(table.metadata, options.branch ?? MAIN_BRANCH);
    await checkBase(table, files, options);
    const removed = base
      ? await replacedFiles(table, base, files, options.replace ?? 'partitions')
      : new Set<string>();
    if (removed.size === 0 && files.length === 0) return null;
    return stageSnapshot(table, ids, { ...options, operation: 'overwrite', added: files, removed });
  };
}

/** Rows that came into, or went from, the replaced partitions since would be replaced unseen. */
async function checkBase(
  table: Table,
  files: readonly AddedFile[],
  options: OverwriteOptions,
): Promise<void> {
  if (options.basedOn === undefined) return;
  const scopes = scopesOf(files);
  await validateSince(table, {
    branch: options.branch ?? MAIN_BRANCH,
    since: options.basedOn,
    isolation: 'serializable',
    concerns: (file, spec) =>
      options.replace === 'table' ||
      (file.content === 'equality-deletes' && isUnpartitioned(spec)) ||
      scopes.has(`${spec['spec-id']} ${partitionKey(file.partition)}`),
  });
}

const scopesOf = (files: readonly AddedFile[]): Set<string> =>
  new Set(files.map((file) => `${file.specId} ${partitionKey(file.dataFile.partition)}`));

async function replacedFiles(
  table: Table,
  base: NonNullable<ReturnType<typeof branchSnapshot>>,
  files: readonly AddedFile[],
  replace: 'partitions' | 'table',
): Promise<Set<string>> {
  const scopes = scopesOf(files);
  const removed = new Set<string>();
  for await (const found of liveEntries(table.context.objects, base)) {
    if (replace === 'table' || isReplaced(table, found, scopes)) removed.add(found.entry.dataFile.filePath);
  }
  return removed;
}

/** Whether a live file lies in a replaced partition. Equality deletes without partition reach beyond it and stay. */
function isReplaced(table: Table, found: SnapshotEntry, scopes: ReadonlySet<string>): boolean {
  const { dataFile } = found.entry;
  const specId = found.manifest.partitionSpecId;
  if (
    dataFile.content === 'data' &&
    scopes.size > 0 &&
    ![...scopes].some((scope) => scope.startsWith(`${specId} `))
  ) {
    throw new LakeError(
      'unsupported',
      `${table.name} holds files of an older partition spec (${specId}): which of their rows lie in the new partitions cannot be told`,
      {
        hint: 'Rebuild the table once in full, then partitions can be replaced again. Nothing was committed.',
      },
    );
  }
  if (dataFile.content === 'equality-deletes' && isUnpartitioned(specById(table.metadata, specId)))
    return false;
  return scopes.has(`${specId} ${partitionKey(dataFile.partition)}`);
}

/**
 * Replaces the partitions that a query's rows fall into (or the whole table) by these rows, in one snapshot. Errors: as `writeSelect` and `commitWithRetry`; `unsupported`
 * where the table still holds files of another partition spec; `stale-plan` see `basedOn`.
 */
export async function overwriteSelect(
  context: LakeContext,
  engine: DuckDbEngine,
  identifier: TableIdentifier,
  request: OverwriteOptions & { readonly sql: string },
): Promise<WriteResult> {
  return commitSelect(context, engine, identifier, request, overwriteFiles);
}
