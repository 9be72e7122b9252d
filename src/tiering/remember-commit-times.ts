import type { LoadedTable } from '../catalog-client/catalog.ts';
import { governingPolicy } from '../policy/match.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { commitWithRetry, type Staged } from '../table/commit.ts';
import { allTables } from './all-tables.ts';
import { COMMIT_TIMES_PROPERTY, commitTimes, rememberedCommitTimes } from './commit-times.ts';
import { withReplacedData } from './replaced-data.ts';
import { historyOf, liveDataFiles } from './table-history.ts';
import { matchedTable } from './table-state.ts';
import type { TieredLake } from './tiering-context.ts';

/**
 * Writes down commit times of the tables that a policy ages by commit, before expiry takes their snapshots: at most once a day and
 * compaction, as a table property. What is not written down in time counts as younger, never as older.
 */
export async function rememberCommitTimes(lake: TieredLake, policies: PolicySet): Promise<void> {
  for await (const table of allTables(lake.catalog)) {
    const policy = governingPolicy(policies, matchedTable(table));
    if (policy?.age.by === 'commit' && policy.transitions.length > 0) await rememberOne(lake, table);
  }
}

async function rememberOne(lake: TieredLake, { identifier }: LoadedTable): Promise<void> {
  await commitWithRetry(lake, identifier, async ({ metadata }) => {
    const history = await historyOf(lake.objects, { identifier, metadata, config: {} });
    const live = await liveDataFiles(lake.objects, history);
    const numbers = new Set([...live.values()].map((one) => one.fileSequenceNumber));
    const times = await withReplacedData(lake.objects, history, commitTimes(metadata));
    const value = rememberedCommitTimes(times, metadata, numbers);
    if (value === null) return null;
    return {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates: [{ action: 'set-properties', updates: { [COMMIT_TIMES_PROPERTY]: value } }],
      applied: (now) => now.properties[COMMIT_TIMES_PROPERTY] === value,
    } satisfies Staged;
  });
}
