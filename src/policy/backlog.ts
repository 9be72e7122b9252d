import { addDuration } from './duration.ts';
import { decide, type Holding, type TableState } from './evaluate.ts';
import type { Policy, PolicySet } from './policy-set.ts';

/** What a policy wants moved from one tier to another and has not been, of one table. */
export interface Backlog {
  readonly from: string;
  readonly to: string;
  /** Partitions; for an unpartitioned table, 1. */
  readonly partitions: number;
  readonly files: number;
  readonly bytes: number;
  /** When the first of it was to leave its tier, ms since 1970. */
  readonly dueSinceMs: number;
}

/** What is looked at; which files they are does not matter. */
export interface BacklogState extends Pick<TableState, 'pins'> {
  readonly holdings: readonly Omit<Holding, 'paths' | 'records'>[];
}

/** What the governing policy wants moved at `nowMs`, summed up by way, and since when: the same files as `evaluatePolicies` plans. Pure. */
export function backlogOf(set: PolicySet, policy: Policy, state: BacklogState, nowMs: number): Backlog[] {
  const ways = new Map<string, Backlog & { readonly seen: Set<string> }>();
  for (const holding of state.holdings) {
    const { partition, tier: from, files, bytes, endMs } = holding;
    const decided = decide(set, policy, state, { ...holding, records: 0, paths: [] }, nowMs);
    if (!('to' in decided) || endMs === null) continue;
    const { to } = decided;
    const dueMs = firstDueMs(set, policy, { tier: from, endMs });
    const way = ways.get(`${from} ${to}`);
    const seen = (way?.seen ?? new Set()).add(partition);
    ways.set(`${from} ${to}`, {
      from,
      to,
      seen,
      partitions: seen.size,
      files: (way?.files ?? 0) + files,
      bytes: (way?.bytes ?? 0) + bytes,
      dueSinceMs: Math.min(way?.dueSinceMs ?? dueMs, dueMs),
    });
  }
  return [...ways.values()].map(({ seen: _seen, ...way }) => way);
}

/** When data in `tier` was first to leave it: it may be bound for a colder tier by now. */
function firstDueMs(
  { tiers }: PolicySet,
  { transitions }: Policy,
  { tier, endMs }: { readonly tier: string; readonly endMs: number },
): number {
  const colder = transitions.filter(({ to }) => tiers.indexOf(to) > tiers.indexOf(tier));
  return Math.min(...colder.map(({ after }) => addDuration(endMs, after)));
}
