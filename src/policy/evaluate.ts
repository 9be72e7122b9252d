import { LakeError } from '../errors.ts';
import { addDuration } from './duration.ts';
import { governingPolicy, type MatchedTable } from './match.ts';
import type { Policy, PolicySet, Transition } from './policy-set.ts';

/** What one partition of a table has in one tier. */
export interface Holding {
  /** `day=2001-01-05`; empty for an unpartitioned table. */
  readonly partition: string;
  readonly tier: string;
  /** Data files that any retained snapshot reads. */
  readonly files: number;
  readonly bytes: number;
  readonly records: number;
  /** From when the partition ages, ms since 1970 UTC (`partitionEndMs`); null if it tells no time. */
  readonly endMs: number | null;
}

export interface TableState extends MatchedTable {
  /** The table's current partitioning tells a time. */
  readonly aged: boolean;
  readonly holdings: readonly Holding[];
}

export interface PlannedMove {
  readonly table: string;
  readonly partition: string;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly bytes: number;
  readonly reason: string;
}

export interface KeptPartition {
  readonly table: string;
  readonly partition: string;
  readonly tier: string;
  readonly reason: string;
}

/** What governs each table of a plan that moves something. */
export interface PlannedTable {
  readonly table: string;
  readonly policy: string;
  readonly grace_ms: number;
}

export interface TierPlan {
  readonly moves: readonly PlannedMove[];
  readonly kept: readonly KeptPartition[];
  readonly tables: readonly PlannedTable[];
}

/** In `kept`, all partitions of a table in one tier, where one reason holds for the whole table. */
export const WHOLE_TABLE = '*';
const DAY_MS = 86_400_000;

/**
 * What the policies want moved at `nowMs`, and why the rest stays. Pure: no clock, no I/O.
 *
 * @throws LakeError `invalid-file` on a tie of policies, or where a policy with transitions matches a table
 *   whose partitions tell no time
 */
export function evaluatePolicies(set: PolicySet, tables: readonly TableState[], nowMs: number): TierPlan {
  const moves: PlannedMove[] = [];
  const kept: KeptPartition[] = [];
  const governed: PlannedTable[] = [];
  for (const table of tables) {
    const policy = governingPolicy(set, table);
    if (policy === null || policy.transitions.length === 0) {
      kept.push(
        ...keptWhole(table, policy === null ? 'no policy matches' : `${policy.name}: no transitions`),
      );
      continue;
    }
    if (!table.aged) throw cannotAge(policy, table);
    governed.push({ table: table.table, policy: policy.name, grace_ms: policy.graceMs });
    for (const holding of table.holdings) {
      const decided = decide(set, policy, holding, nowMs);
      if ('to' in decided) {
        const { partition, tier, files, bytes } = holding;
        moves.push({
          table: table.table,
          partition,
          from: tier,
          to: decided.to,
          files,
          bytes,
          reason: decided.reason,
        });
      } else {
        kept.push({
          table: table.table,
          partition: holding.partition,
          tier: holding.tier,
          reason: decided.reason,
        });
      }
    }
  }
  return { moves, kept, tables: governed };
}

/** The policy that governs a table and the age of a partition in whole days, for a report. */
export function ageInDays(endMs: number | null, nowMs: number): number | null {
  return endMs === null ? null : Math.floor((nowMs - endMs) / DAY_MS);
}

function decide(
  set: PolicySet,
  policy: Policy,
  holding: Holding,
  nowMs: number,
): { to: string; reason: string } | { reason: string } {
  const { endMs } = holding;
  if (endMs === null) return { reason: `${policy.name}: the partition tells no time` };
  const due = policy.transitions.filter((one) => dueAt(endMs, one) <= nowMs).at(-1);
  const next = policy.transitions.find((one) => dueAt(endMs, one) > nowMs);
  const rank = set.tiers.indexOf(holding.tier);
  if (due !== undefined && set.tiers.indexOf(due.to) > rank) {
    return {
      to: due.to,
      reason: `${policy.name}: ${due.to} after ${due.afterText}, since ${dayOf(dueAt(endMs, due))}`,
    };
  }
  if (next === undefined || set.tiers.indexOf(next.to) <= rank) {
    return { reason: `${policy.name}: nothing colder is due` };
  }
  return { reason: `${policy.name}: ${next.to} after ${next.afterText}, on ${dayOf(dueAt(endMs, next))}` };
}

function dueAt(endMs: number, transition: Transition): number {
  return addDuration(endMs, transition.after);
}

function dayOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'a day beyond the calendar' : date.toISOString().slice(0, 10);
}

function keptWhole(table: TableState, reason: string): KeptPartition[] {
  const tiers = new Set(table.holdings.map((holding) => holding.tier));
  return [...tiers].map((tier) => ({ table: table.table, partition: WHOLE_TABLE, tier, reason }));
}

function cannotAge(policy: Policy, table: TableState): LakeError {
  return new LakeError(
    'invalid-file',
    `policy "${policy.name}" matches ${table.table}, whose partitions tell no time: it cannot age it`,
    { where: policy.file, hint: `exclude ${table.table} from the policy, or partition the table by time` },
  );
}
