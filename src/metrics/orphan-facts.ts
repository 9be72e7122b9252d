import { isKind } from '../errors.ts';
import { DEFAULT_ORPHAN_AGE_MS, removeOrphans } from '../maintenance/orphans.ts';
import { policyOf } from '../maintenance/targets.ts';
import type { Lake } from '../project/open-lake.ts';
import { readPolicies } from '../tiering/policy-files.ts';

/** What `lake orphans --dry-run` finds. */
export interface OrphanFacts {
  readonly tables: readonly { readonly table: string; readonly objects: number; readonly bytes: number }[];
  /** In folders below the tiers that belong to no table. */
  readonly strays: { readonly objects: number; readonly bytes: number };
  /** Tables that could not be judged. */
  readonly refused: number;
  /** When they were counted, wall clock, ms since 1970. */
  readonly countedMs: number;
}

/** Lists the folders of all tables and counts what nothing names, by the ages that the policies say. Deletes nothing. Errors: as `removeOrphans`. */
export async function countOrphans(lake: Lake): Promise<OrphanFacts> {
  const policies = await readPolicies(lake.config);
  const report = await removeOrphans(lake, {
    dryRun: true,
    droppedOlderThanMs: DEFAULT_ORPHAN_AGE_MS,
    olderThanMs: (table) => {
      try {
        return policyOf(policies, table)?.orphans?.olderThanMs ?? DEFAULT_ORPHAN_AGE_MS;
      } catch (error) {
        // Policies that tie are told elsewhere.
        if (isKind(error, 'invalid-file')) return DEFAULT_ORPHAN_AGE_MS;
        throw error;
      }
    },
  });
  return {
    tables: report.tables.map(({ table, files: objects, bytes }) => ({ table, objects, bytes })),
    strays: {
      objects: report.dropped.reduce((sum, one) => sum + one.objects, 0),
      bytes: report.dropped.reduce((sum, one) => sum + one.bytes, 0),
    },
    refused: report.refused.length,
    countedMs: lake.clock.now(),
  };
}
