import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { LakeContext } from './context.ts';
import { findChange, type Landing } from './find-change.ts';
import { openTable, Table, tableName } from './table.ts';

/** A change of a table that is ready to be committed: its files are written, nothing refers to them yet. */
export interface Staged {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  /** The snapshot that the change adds; it tells after an unknown outcome whether the commit was applied (`findChange`). */
  readonly snapshotId?: bigint;
  /** The same for a change without a snapshot. False must mean that deriving it anew does no harm. */
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

/**
 * Commits a change with its three outcomes (DESIGN 4.1). Conflict: the table is loaded again and the change derived anew from it. Unknown: the table is loaded and
 * searched for the change; where it is not there, the attempt is made again, guarded by the same requirements, and what was written stays. It is
 * derived anew only where it is proven that the table never took it.
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
  let unsure: S | null = null;
  for (let attempt = 1, failure: LakeError | null = null; ; attempt++) {
    if (unsure) {
      const landing = await searched(table, unsure);
      if (landing === 'landed') {
        return { table, staged: unsure, snapshotId: unsure.snapshotId ?? null, attempts: attempt - 1 };
      }
      // A conflict says that the attempt cannot be applied any more; not that it never was.
      if (failure?.kind === 'conflict' && landing === 'unknown') throw unknownOutcome(table, failure);
      if (failure?.kind === 'conflict') unsure = null;
    }
    if (failure && attempt > retries + 1) throw exhausted(table, failure, attempt - 1);
    const staged: S | null = unsure ?? (await derive(table));
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
      if (error.kind === 'unknown-outcome') unsure = staged;
      await waitAndRefresh(table, error, attempt);
    }
  }
}

async function searched(table: Table, staged: Staged): Promise<Landing> {
  try {
    return await findChange(table, staged);
  } catch (cause) {
    throw unknownOutcome(table, cause);
  }
}

async function waitAndRefresh(table: Table, failure: LakeError, attempt: number): Promise<void> {
  const { clock } = table.context;
  const wait = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  await clock.sleep(Math.round(wait * (0.5 + clock.random() / 2)));
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
