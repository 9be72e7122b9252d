import type { LoadedTable, TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import { parseTableName, tableName } from '../table/table.ts';
import { checkedMoves, type RelocationRequest, type RelocationResult, relocateTable } from './executor.ts';
import { type LedgerReport, sweepLedger } from './ledger.ts';
import type { MovePlan } from './move-plan.ts';
import { resumeRelocations } from './resume.ts';
import { type ApplyOptions, type TieredLake, type TieringRun, tieringRun } from './tiering-context.ts';

/** Where a plan says nothing of the grace. */
export const DEFAULT_GRACE_MS = 24 * 3600 * 1000;

export interface ApplyReport {
  /** Relocations that an interrupted run had left. */
  readonly resumed: readonly RelocationResult[];
  readonly relocations: readonly RelocationResult[];
  /** Tables that could not be moved now, and why. */
  readonly refused: readonly { readonly table: string; readonly reason: string }[];
  readonly ledger: LedgerReport;
}

export interface ApplyPlanOptions extends ApplyOptions {
  /**
   * Moves what is still there of a plan that was made for this run, instead of refusing all of it: a file that no retained
   * snapshot reads any more needs no move. A plan that people have looked at is applied as it is or not at all.
   */
  readonly leaveOutGone?: boolean;
}

/**
 * Finishes what interrupted runs left, applies a plan and no other, and deletes old objects whose grace has
 * passed. Each table's moves are one relocation: for readers nothing happened, or all of it. All tables are checked before the first moves.
 *
 * @throws LakeError `stale-plan` where a table is not as the plan saw it (nothing is moved then, unless it changed while others
 *   were moved), `unavailable`, `unknown-outcome`; tables with staged work, or under another run, come back in `refused`
 */
export async function applyPlan(
  lake: TieredLake,
  plan: MovePlan,
  options: ApplyPlanOptions = {},
): Promise<ApplyReport> {
  const run = tieringRun(lake, options);
  const resumed = await resumeRelocations(run);
  const requests = requestsOf(plan, options.leaveOutGone ?? false);
  await checkAll(run, requests);
  const relocations: RelocationResult[] = [];
  const refused: { table: string; reason: string }[] = [];
  for (const request of requests) {
    try {
      relocations.push(await relocateTable(run, request));
    } catch (error) {
      if (!isKind(error, 'conflict', 'unsupported')) throw error;
      const reason = error.hint === undefined ? error.message : `${error.message}: ${error.hint}`;
      refused.push({ table: tableName(request.identifier), reason });
    }
  }
  return { resumed, relocations, refused, ledger: await sweepLedger(run, run.clock.now()) };
}

function requestsOf(plan: MovePlan, leaveOutGone: boolean): RelocationRequest[] {
  const known = new Map(plan.tables.map((one) => [one.table, one]));
  return [...byTable(plan.moves)].map(([table, moves]) => {
    const { uuid, policy, grace_ms: graceMs = DEFAULT_GRACE_MS } = known.get(table) ?? {};
    const reason = { command: 'apply' as const, text: policy === undefined ? 'plan' : `policy ${policy}` };
    const identifier = parseTableName(table);
    return { identifier, moves, graceMs, reason, leaveOutGone, ...(uuid === undefined ? {} : { uuid }) };
  });
}

/** Nothing moves by a plan of which a part cannot be carried out. */
async function checkAll(run: TieringRun, requests: readonly RelocationRequest[]): Promise<void> {
  for (const request of requests) {
    const table = await loadPlanned(run, request.identifier);
    // The paths that this makes are not used: it is the check that counts.
    await checkedMoves(run, table, request, run.clock.uuid());
  }
}

async function loadPlanned(run: TieringRun, identifier: TableIdentifier): Promise<LoadedTable> {
  try {
    return await run.catalog.loadTable(identifier);
  } catch (cause) {
    if (!isKind(cause, 'not-found')) throw cause;
    throw new LakeError('stale-plan', `${tableName(identifier)} is not there any more`, {
      where: tableName(identifier),
      hint: 'make a new plan with: lake tier plan; nothing was moved',
      cause,
    });
  }
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
