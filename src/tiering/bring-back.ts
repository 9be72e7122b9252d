import type { LoadedTable } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import { commitWithRetry, type Staged } from '../table/commit.ts';
import { checkedMoves, type RelocationResult, relocateTable } from './executor.ts';
import type { RelocationReason } from './journal.ts';
import { refuseUnmovable } from './movable.ts';
import { pinName, pinUpdates } from './restore-pins.ts';
import { refuseStaged } from './staged-work.ts';
import { type ApplyOptions, type TieredLake, type TieringRun, tieringRun } from './tiering-context.ts';

/** A move that a person asked for: a restore or an undo. */
export interface BringBack {
  readonly table: LoadedTable;
  readonly moves: readonly PlannedMove[];
  readonly reason: RelocationReason;
  readonly graceMs: number;
  /** Partitions that are to stay where this brings them. */
  readonly pinned: readonly string[];
}

export interface BringBackOptions extends ApplyOptions {
  /** For moves that were planned long before: what is gone since is left out, see `ApplyPlanOptions`. */
  readonly leaveOutGone?: boolean;
}

/**
 * What would keep `bringBack` from making these moves, told before anything is done. Reads only.
 *
 * @throws LakeError `unsupported`, `conflict` (staged work), `stale-plan`
 */
export async function checkBringBack(lake: TieredLake, { table, moves }: BringBack): Promise<void> {
  const run = tieringRun(lake);
  refuseUnmovable(run, table);
  refuseStaged(table);
  const { identifier, metadata } = table;
  await checkedMoves(run, table, { identifier, moves, uuid: metadata['table-uuid'] }, run.clock.uuid());
}

/**
 * Makes the moves by the same protocol as a policy's, forward to new paths. The partitions are pinned first, so that no run of the
 * policies in between moves them right back; where the move fails for certain and no run goes on with it, the pin goes again.
 *
 * @param pinUntilMs until when no policy moves the pinned partitions, ms since 1970
 * @throws LakeError as `relocateTable`
 */
export async function bringBack(
  lake: TieredLake,
  wanted: BringBack,
  pinUntilMs: number,
  options: BringBackOptions = {},
): Promise<RelocationResult> {
  const run = tieringRun(lake, options);
  const { table, moves, reason, graceMs, pinned } = wanted;
  const { identifier } = table;
  const id = run.clock.uuid();
  const pin = { relocationId: id, partitions: pinned, untilMs: pinUntilMs };
  if (pinned.length > 0) await setPin(run, table, pin);
  const uuid = table.metadata['table-uuid'];
  const { leaveOutGone = false } = options;
  const request = { identifier, moves, graceMs, reason, uuid, id, leaveOutGone };
  const result = await relocateTable(run, request).catch(async (error: unknown) => {
    // Unknown: it may have been made. Anything that is no LakeError: the next run goes on with it.
    const isKnown = error instanceof LakeError && !isKind(error, 'unknown-outcome');
    if (isKnown && (await isOver(run, id))) await removePin(run, table, id).catch(() => {});
    throw error;
  });
  // The move is made: a pin that cannot be taken away now ends by itself.
  await removePin(run, table, result.state === 'swapped' ? reason.undoes : id).catch(() => {});
  return result;
}

/** True if the journal says that the move was not made and nobody goes on with it, as the next run does after a lost lease. */
async function isOver(run: TieringRun, id: string): Promise<boolean> {
  try {
    const { state } = await run.journal.relocation(id);
    return state === 'rolled-back' || state === 'cleaned';
  } catch (error) {
    return isKind(error, 'not-found');
  }
}

async function setPin(
  run: TieringRun,
  { identifier }: LoadedTable,
  pin: { readonly relocationId: string; readonly partitions: readonly string[]; readonly untilMs: number },
): Promise<void> {
  await commitWithRetry(run, identifier, async ({ metadata }) => {
    return {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates: pinUpdates(metadata, pin, { nowMs: run.clock.now() }),
      applied: (now) => now.properties[pinName(pin.relocationId)] !== undefined,
    } satisfies Staged;
  });
}

/** Takes away the pin of a relocation, and those that have ended. */
async function removePin(
  run: TieringRun,
  { identifier, metadata: before }: LoadedTable,
  relocationId: string | undefined,
): Promise<void> {
  if (relocationId === undefined) return;
  await commitWithRetry(run, identifier, async ({ metadata }) => {
    if (metadata['table-uuid'] !== before['table-uuid']) return null;
    const updates = pinUpdates(metadata, null, { nowMs: run.clock.now(), ended: relocationId });
    if (updates.length === 0) return null;
    return {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates,
      applied: (now) => now.properties[pinName(relocationId)] === undefined,
    } satisfies Staged;
  });
}
