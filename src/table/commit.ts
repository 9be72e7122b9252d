import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { LakeContext } from './context.ts';
import { openTable, Table, tableName } from './table.ts';

/** A change of a table that is ready to be committed: its files are written, nothing refers to them yet. */
export interface Staged {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  /** The snapshot that the change adds; it tells after an unknown outcome whether the commit was applied. */
  readonly snapshotId?: bigint;
  /** The same for a change without a snapshot. */
  readonly applied?: (metadata: TableMetadata) => boolean;
}

/** Derives a change from the table's current state. Called anew per attempt; null where there is nothing to do. */
export type Derive<S extends Staged = Staged> = (table: Table) => Promise<S | null>;

export interface CommitOptions {
  /** Attempts after the first; by default the table's `commit.retry.num-retries`, else 10. */
  readonly maxRetries?: number;
}

export interface CommitResult<S extends Staged = Staged> {
  /** The table after the commit. */
  readonly table: Table;
  /** What was committed; null if there was nothing to do. */
  readonly staged: S | null;
  readonly snapshotId: bigint | null;
  readonly attempts: number;
}

const DEFAULT_RETRIES = 10;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 5_000;

function isApplied(staged: Staged, metadata: TableMetadata): boolean {
  if (staged.applied) return staged.applied(metadata);
  return metadata.snapshots.some((snapshot) => snapshot['snapshot-id'] === staged.snapshotId);
}

/**
 * Commits a change with its three outcomes (DESIGN 4.1). Conflict: the table is loaded again and the change derived anew from it. Unknown: the table is loaded and
 * searched for the change; where it is not there, the attempt is made again, guarded by the same requirements, and what was written stays.
 * Errors: `conflict` when the retries are used up, `unknown-outcome` when it cannot be told, and whatever `derive` throws.
 */
export async function commitWithRetry<S extends Staged>(
  context: LakeContext,
  identifier: TableIdentifier,
  derive: Derive<S>,
  options: CommitOptions = {},
): Promise<CommitResult<S>> {
  const table = await openTable(context, identifier);
  const retries =
    options.maxRetries ?? Number(table.metadata.properties['commit.retry.num-retries'] ?? DEFAULT_RETRIES);
  const unsure: S[] = [];
  for (let attempt = 1, failure: LakeError | null = null; ; attempt++) {
    const landed = unsure.find((staged) => isApplied(staged, table.metadata));
    if (landed)
      return { table, staged: landed, snapshotId: landed.snapshotId ?? null, attempts: attempt - 1 };
    if (failure && attempt > retries + 1) throw exhausted(table, failure, attempt - 1);
    // A conflict, with the change nowhere in the table, proves that no unsure attempt can be applied any more.
    if (failure?.kind === 'conflict') unsure.length = 0;
    const staged = unsure.at(-1) ?? (await derive(table));
    if (!staged) return { table, staged: null, snapshotId: null, attempts: attempt };
    try {
      const loaded = await context.catalog.commitTable({
        identifier,
        requirements: staged.requirements,
        updates: staged.updates,
      });
      return {
        table: new Table(context, loaded),
        staged,
        snapshotId: staged.snapshotId ?? null,
        attempts: attempt,
      };
    } catch (error) {
      if (!isKind(error, 'conflict', 'unknown-outcome')) throw error;
      failure = error;
      if (error.kind === 'unknown-outcome' && !unsure.includes(staged)) unsure.push(staged);
      await waitAndRefresh(table, error, attempt);
    }
  }
}

async function waitAndRefresh(table: Table, failure: LakeError, attempt: number): Promise<void> {
  const { clock } = table.context;
  const wait = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  await clock.sleep(wait * (0.5 + clock.random() / 2));
  try {
    await table.refresh();
  } catch (cause) {
    throw failure.kind === 'unknown-outcome' ? unknownOutcome(table, cause) : cause;
  }
}

function exhausted(table: Table, failure: LakeError, attempts: number): LakeError {
  if (failure.kind === 'unknown-outcome') return unknownOutcome(table, failure);
  return new LakeError(
    'conflict',
    `Other writers to ${tableName(table.identifier)} came first ${attempts} times: ${failure.message}`,
    {
      cause: failure,
      ...(failure.where === undefined ? {} : { where: failure.where }),
      hint: 'Nothing of this change was applied. Run it again when the table is quieter.',
    },
  );
}

function unknownOutcome(table: Table, cause: unknown): LakeError {
  return new LakeError(
    'unknown-outcome',
    `It cannot be told whether the commit to ${table.name} was applied`,
    {
      cause,
      hint: `Nothing was deleted. Look at \`lake table history ${table.name}\` once the catalog answers again, before you repeat it.`,
    },
  );
}
