import { isKind } from '../errors.ts';
import type { PlannedMove, TierPlan } from '../policy/evaluate.ts';
import { parseTableName } from '../table/table.ts';
import { type RelocationResult, relocateTable } from './executor.ts';
import { type LedgerReport, sweepLedger } from './ledger.ts';
import { resumeRelocations } from './resume.ts';
import { type ApplyOptions, type TieredLake, tieringRun } from './tiering-context.ts';

/** Where a plan says nothing of the grace. */
const DEFAULT_GRACE_MS = 24 * 3600 * 1000;

export interface ApplyReport {
  /** Relocations that an interrupted run had left. */
  readonly resumed: readonly RelocationResult[];
  readonly relocations: readonly RelocationResult[];
  /** Tables that could not be moved now, and why. */
  readonly refused: readonly { readonly table: string; readonly reason: string }[];
  readonly ledger: LedgerReport;
}

/**
 * Finishes what interrupted runs left, applies a plan and no other, and deletes old objects whose grace has
 * passed. Each table's moves are one relocation: for readers nothing happened, or all of it.
 *
 * @throws LakeError `stale-plan` where a table is not as the plan saw it (tables before it are moved), `unavailable`,
 *   `unknown-outcome`; tables with staged work, or under another run, come back in `refused`
 */
export async function applyPlan(
  lake: TieredLake,
  plan: TierPlan,
  options: ApplyOptions = {},
): Promise<ApplyReport> {
  const run = tieringRun(lake, options);
  const resumed = await resumeRelocations(run);
  const relocations: RelocationResult[] = [];
  const refused: { table: string; reason: string }[] = [];
  const grace = new Map((plan.tables ?? []).map((one) => [one.table, one.grace_ms]));
  for (const [table, moves] of byTable(plan.moves)) {
    try {
      const graceMs = grace.get(table) ?? DEFAULT_GRACE_MS;
      relocations.push(await relocateTable(run, parseTableName(table), moves, graceMs));
    } catch (error) {
      if (!isKind(error, 'conflict', 'unsupported')) throw error;
      refused.push({
        table,
        reason: error.hint === undefined ? error.message : `${error.message}: ${error.hint}`,
      });
    }
  }
  return { resumed, relocations, refused, ledger: await sweepLedger(run, run.clock.now()) };
}

/** Finishes interrupted relocations alone; call it before a plan is made. */
export async function resumeInterrupted(
  lake: TieredLake,
  options: ApplyOptions = {},
): Promise<RelocationResult[]> {
  return resumeRelocations(tieringRun(lake, options));
}

function byTable(moves: readonly PlannedMove[]): Map<string, PlannedMove[]> {
  const tables = new Map<string, PlannedMove[]>();
  for (const move of moves) tables.set(move.table, [...(tables.get(move.table) ?? []), move]);
  return tables;
}
