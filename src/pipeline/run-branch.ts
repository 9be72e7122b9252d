import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind } from '../errors.ts';
import type { LakeContext } from '../table/context.ts';

/** What `newRunId` makes, and nobody else's name; Trino's own branch of a run has an ending. */
const RUN_BRANCH = /^run_(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)_[0-9a-f]{8}(_trino)?$/;

const HOUR_MS = 3_600_000;
/** What a run left behind that was killed: its branch does not get older than its last model takes; Trino's stands still while Trino runs. */
const ABANDONED_AFTER_MS = { own: 6 * HOUR_MS, trino: 24 * HOUR_MS } as const;

/** The branch that Trino writes to in a run. */
export const trinoBranch = (branch: string): string => `${branch}_trino`;

/**
 * True for a branch that a run left behind which was killed.
 *
 * @param headMs when its last snapshot was made: it may be older than the branch
 */
export function isAbandoned(branch: string, headMs: number, nowMs: number): boolean {
  const [found, ...parts] = RUN_BRANCH.exec(branch) ?? [];
  if (found === undefined) return false;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.slice(0, 6).map(Number);
  const started = Date.UTC(year, month - 1, day, hour, minute, second);
  const limit = parts[6] === undefined ? ABANDONED_AFTER_MS.own : ABANDONED_AFTER_MS.trino;
  return nowMs - Math.max(started, headMs) >= limit;
}

/** Commits that come in between may be as many. */
const ATTEMPTS = 5;

/**
 * Drops a branch by which nobody but this run goes, wherever it is by now; an engine that is still about to commit to it is refused then. That it cannot be dropped changes nothing of the
 * run: a later one does it.
 */
export async function dropOwnBranch(
  context: LakeContext,
  identifier: TableIdentifier,
  uuid: string,
  branch: string,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await context.catalog.commitTable({
        identifier,
        requirements: [{ type: 'assert-table-uuid', uuid }],
        updates: [{ action: 'remove-snapshot-ref', 'ref-name': branch }],
      });
      return;
    } catch (error) {
      if (!isKind(error, 'conflict', 'unavailable', 'unknown-outcome')) return;
    }
  }
}
