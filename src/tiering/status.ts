import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { ageInDays } from '../policy/evaluate.ts';
import { governingPolicy } from '../policy/match.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { allTables } from './all-tables.ts';
import { agedState } from './plan-moves.ts';
import { historyOf, liveDataFiles } from './table-history.ts';
import { matchedTable } from './table-state.ts';
import type { TieredLake } from './tiering-context.ts';

/** What one partition of a table's current state has in one tier. */
export interface TierStatusRow {
  readonly table: string;
  readonly partition: string;
  readonly tier: string;
  readonly files: number;
  readonly bytes: number;
  readonly records: number;
  /** Whole days since the partition began to age; null if it tells no time. */
  readonly age_days: number | null;
  readonly policy: string | null;
}

/**
 * Where the data files of every table's current state lie.
 *
 * @param nowMs the policy's clock, for ages
 */
export async function tierStatus(
  lake: TieredLake,
  policies: PolicySet,
  nowMs: number,
): Promise<TierStatusRow[]> {
  const rows: TierStatusRow[] = [];
  for await (const table of allTables(lake.catalog)) {
    const head = table.metadata.refs[MAIN_BRANCH]?.['snapshot-id'];
    const snapshots = table.metadata.snapshots.filter((one) => one['snapshot-id'] === head);
    const current = { ...table, metadata: { ...table.metadata, snapshots } };
    const history = await historyOf(lake.objects, current);
    const live = await liveDataFiles(lake.objects, history);
    const policy = governingPolicy(policies, matchedTable(table));
    const state = await agedState(lake, policy, { table, history, live, eachFile: false });
    for (const { partition, tier, files, bytes, records, endMs } of state.holdings) {
      const counts = { files, bytes, records, age_days: ageInDays(endMs, nowMs) };
      rows.push({ table: state.table, partition, tier, ...counts, policy: policy?.name ?? null });
    }
  }
  return rows;
}
