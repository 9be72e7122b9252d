import type { LoadedTable } from '../catalog-client/catalog.ts';
import { governingPolicy } from '../policy/match.ts';
import type { Policy, PolicySet } from '../policy/policy-set.ts';
import { matchedTable } from '../tiering/table-state.ts';
import type { ExpireTarget } from './expire.ts';
import { snapshotRules } from './snapshot-rules.ts';

/** The policy that governs a table; null if none. Errors: `invalid-file` where two tie. */
export function policyOf(policies: PolicySet, table: LoadedTable): Policy | null {
  return governingPolicy(policies, matchedTable(table));
}

/** A table with the rules for its snapshots. Errors: `invalid-file`, `invalid-argument` (a property is no number). */
export function expireTarget(policies: PolicySet, table: LoadedTable): ExpireTarget {
  const policy = policyOf(policies, table);
  return {
    table,
    rules: snapshotRules(table.metadata, policy?.snapshots),
    policy: policy?.name ?? null,
  };
}
