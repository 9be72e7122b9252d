import type { LoadedTable } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import {
  evaluatePolicies,
  type KeptPartition,
  type PlannedMove,
  type TableState,
  type TierPlan,
} from '../policy/evaluate.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { tableName } from '../table/table.ts';
import { allTables } from './all-tables.ts';
import { formatRefusal } from './executor.ts';
import { branchWithStagedWork } from './staged-work.ts';
import { historyOf, liveDataFiles } from './table-history.ts';
import { tableState } from './table-state.ts';
import type { TieredLake } from './tiering-context.ts';

/**
 * What the policies want moved at `nowMs` (the policy's clock, ms since 1970), and why the rest stays. Data
 * files of all retained snapshots count, as all of them move. Reads only.
 *
 * @param tables names to look at; all of the catalog without it
 * @throws LakeError `not-found` for an unknown table, `invalid-file` for policies that tie or cannot age a table
 */
export async function planMoves(
  lake: TieredLake,
  policies: PolicySet,
  nowMs: number,
  tables?: readonly string[],
): Promise<TierPlan> {
  const states: TableState[] = [];
  const blocked = new Map<string, string>();
  for (const table of await chosenTables(lake, tables)) {
    const name = tableName(table.identifier);
    const live = await liveDataFiles(lake.objects, await historyOf(lake.objects, table));
    states.push(tableState(table, live.values(), lake.config.tiers, lake.config.timezone));
    const reason = whyNotNow(table);
    if (reason !== null) blocked.set(name, reason);
  }
  return withoutBlocked(evaluatePolicies(policies, states, nowMs), blocked);
}

async function chosenTables(lake: TieredLake, names: readonly string[] | undefined): Promise<LoadedTable[]> {
  const tables: LoadedTable[] = [];
  for await (const table of allTables(lake.catalog)) tables.push(table);
  if (names === undefined || names.length === 0) return tables;
  const known = new Map(tables.map((table) => [tableName(table.identifier), table]));
  return [...new Set(names)].map((name) => {
    const table = known.get(name);
    if (table !== undefined) return table;
    const near = nearestName(name, known.keys());
    const hint = near === null ? 'list the tables with: lake table list' : `did you mean "${near}"?`;
    throw new LakeError('not-found', `there is no table ${name}`, { hint });
  });
}

/** Why a table cannot be moved as it is; null if it can. */
function whyNotNow({ metadata }: LoadedTable): string | null {
  const refusal = formatRefusal(metadata['format-version']);
  if (refusal !== null) return `${refusal.why}: ${refusal.hint}`;
  const branch = branchWithStagedWork(metadata);
  return branch === null ? null : `waits: branch "${branch}" holds staged work`;
}

function withoutBlocked(plan: TierPlan, blocked: ReadonlyMap<string, string>): TierPlan {
  const moves: PlannedMove[] = [];
  const kept: KeptPartition[] = [...plan.kept];
  for (const move of plan.moves) {
    const reason = blocked.get(move.table);
    if (reason === undefined) moves.push(move);
    else kept.push({ table: move.table, partition: move.partition, tier: move.from, reason });
  }
  return { ...plan, moves, kept };
}
