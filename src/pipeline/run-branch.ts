import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind } from '../errors.ts';
import { branchIdentifier } from '../iceberg/branch-name.ts';
import type { LakeContext } from '../table/context.ts';
import { RUN_ID, runStart } from './run-id.ts';

/** What `newRunId` makes, and nobody else's name; Trino's own branch of a run has an ending. */
const RUN_BRANCH = new RegExp(`^run_${RUN_ID}(_trino)?$`);

const HOUR_MS = 3_600_000;
/** What a run left behind that was killed: its branch does not get older than its last model takes; Trino's stands still while Trino runs. */
const ABANDONED_AFTER_MS = { own: 6 * HOUR_MS, trino: 24 * HOUR_MS } as const;

/** The branch that Trino writes to in a run. */
export const trinoBranch = (branch: string): string => `${branch}_trino`;
export const isTrinoBranch = (branch: string): boolean => branch.endsWith('_trino');

/**
 * True for a branch that a run left behind which was killed.
 *
 * @param headMs when its last snapshot was made: it may be older than the branch
 */
export function isAbandoned(branch: string, headMs: number, nowMs: number): boolean {
  const started = runStart(RUN_BRANCH, branch);
  if (started === null) return false;
  const limit = isTrinoBranch(branch) ? ABANDONED_AFTER_MS.trino : ABANDONED_AFTER_MS.own;
  return nowMs - Math.max(started, headMs) >= limit;
}

/** Tries to drop a branch, and the pause before the next one, ms, times their number. */
const ATTEMPTS = 5;
const PAUSE_MS = 200;

/**
 * Drops Trino's own branch, wherever it is by now, with the snapshots that it alone leads to: their files are main's by another snapshot, and Trino's own expiry would delete them.
 * An engine that is still about to commit to it is refused then. That it cannot be dropped changes nothing of the run: while it is there the files are safe, and a later run drops it.
 */
export async function dropTrinoBranch(
  context: LakeContext,
  identifier: TableIdentifier,
  branch: string,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await context.catalog.dropTable(branchIdentifier(identifier, branch));
      return;
    } catch (error) {
      // Another catalog knows no branches by name, and Trino has written nothing to this one.
      if (isKind(error, 'not-found')) return dropUnwritten(context, identifier, branch);
      await context.clock.sleep(PAUSE_MS * attempt);
    }
  }
}

async function dropUnwritten(
  context: LakeContext,
  identifier: TableIdentifier,
  branch: string,
): Promise<void> {
  try {
    const { metadata } = await context.catalog.loadTable(identifier);
    if (!Object.hasOwn(metadata.refs, branch)) return;
    await context.catalog.commitTable({
      identifier,
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates: [{ action: 'remove-snapshot-ref', 'ref-name': branch }],
    });
  } catch {
    // A later run drops it.
  }
}
