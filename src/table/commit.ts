import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import { type CommitRetries, commitRetries, waitAfter } from './commit-retries.ts';
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
  /** The table as it was loaded before, such as by the last commit: it is not loaded first. A stale one costs an attempt. */
  readonly table?: Table;
  /**
   * The table's state that the change's files were written for; by default the first one that the commit loads. What is committed
   * goes to that very table and, where the branch was there, to that branch: not to ones made anew under the same name.
   */
  readonly writtenFor?: TableMetadata;
  /** Attempts after the first; by default the table's `commit.retry.num-retries`, see `commitRetries`. */
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

/**
 * Commits a change with its three outcomes (DESIGN 4.1). Conflict: the table is loaded again and the change derived anew from it. Unknown: the table is loaded and
 * searched for the change; where it is not there, the attempt is made again, guarded by the same requirements, and what was written stays. It is
 * derived anew only where it is proven that the table never took it.
 * Errors: `conflict` when the retries are used up or the table or branch was removed meanwhile, `unknown-outcome` when it cannot be told, and whatever `derive` throws.
 */
export async function commitWithRetry<S extends Staged>(
  context: LakeContext,
  identifier: TableIdentifier,
  derive: Derive<S>,
  options: CommitOptions = {},
): Promise<CommitResult<S>> {
  const table = options.table ?? (await openTable(context, identifier));
  const writtenFor = options.writtenFor ?? table.metadata;
  const rules = commitRetries(table.metadata.properties);
  const retries = options.maxRetries ?? rules.retries;
  const startMs = context.clock.now();
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
    const isLate = context.clock.now() - startMs > rules.totalTimeoutMs;
    if (failure && (attempt > retries + 1 || isLate)) throw exhausted(table, failure, attempt - 1);
    if (!unsure) refuseOtherTable(table, writtenFor);
    const staged: S | null = unsure ?? (await derive(table));
    if (staged) refuseOtherBranch(table, staged, writtenFor);
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
      // An earlier attempt may still be applied, whatever became of this one.
      if (!isKind(error, 'conflict', 'unknown-outcome')) throw unsure ? unknownOutcome(table, error) : error;
      failure = error;
      if (error.kind === 'unknown-outcome') unsure = staged;
      await waitAndRefresh(table, error, attempt, rules);
    }
  }
}

function refuseOtherTable({ name, metadata }: Table, writtenFor: TableMetadata): void {
  if (metadata['table-uuid'] === writtenFor['table-uuid']) return;
  throw new LakeError('conflict', `${name} was dropped and made anew meanwhile`, {
    where: name,
    hint: 'Nothing was committed to the new table. Look at it, then run the change again.',
  });
}

/** A branch that was there and is gone would begin anew at main, and the rows would be where nobody looks. */
function refuseOtherBranch({ name }: Table, { requirements }: Staged, writtenFor: TableMetadata): void {
  for (const one of requirements) {
    if (one.type !== 'assert-ref-snapshot-id' || one['snapshot-id'] !== null) continue;
    if (!Object.hasOwn(writtenFor.refs, one.ref)) continue;
    throw new LakeError('conflict', `Branch "${one.ref}" of ${name} was published or removed meanwhile`, {
      where: name,
      hint: 'Nothing was committed. Choose the branch that the change belongs to, then run it again.',
    });
  }
}

async function searched(table: Table, staged: Staged): Promise<Landing> {
  try {
    return await findChange(table, staged);
  } catch (cause) {
    throw unknownOutcome(table, cause);
  }
}

async function waitAndRefresh(
  table: Table,
  failure: LakeError,
  attempt: number,
  rules: CommitRetries,
): Promise<void> {
  const { clock } = table.context;
  await clock.sleep(waitAfter(attempt, rules, clock.random()));
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
