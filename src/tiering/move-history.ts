import { tableName } from '../table/table.ts';
import type { JournaledWay, PastRelocation } from './journal.ts';
import { type TieredLake, tieringRun } from './tiering-context.ts';

/** One relocation of the past, as `lake tier history` shows it. Times are ISO 8601, wall clock. */
export interface PastMove {
  readonly relocation_id: string;
  readonly table: string;
  readonly state: PastRelocation['state'];
  readonly begun: string;
  /** When it took effect; null if it never did. */
  readonly swapped: string | null;
  /** `apply`, `restore` or `undo`; null where an earlier version made it. */
  readonly command: string | null;
  readonly reason: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly moves: readonly JournaledWay[];
  /** Old objects (data, deletes, manifests) that still stand. */
  readonly retired_waiting: number;
  /** From when they are deleted; null where nothing was retired. */
  readonly grace_ends: string | null;
}

/**
 * The relocations that the catalog's journal holds, newest first.
 *
 * @param tableUuid of one table; of all without it
 */
export async function moveHistory(
  lake: TieredLake,
  options: { readonly tableUuid?: string; readonly limit?: number } = {},
): Promise<PastMove[]> {
  const { journal } = tieringRun(lake);
  const all = await journal.relocationsOf(options.tableUuid);
  const shown = [...all].reverse().slice(0, options.limit ?? all.length);
  const waiting = new Map<string, number>();
  for await (const entry of journal.ledger()) {
    const id = entry['relocation-id'];
    waiting.set(id, (waiting.get(id) ?? 0) + 1);
  }
  return shown.map((one) => pastMove(one, waiting.get(one['relocation-id']) ?? 0));
}

function pastMove(one: PastRelocation, waiting: number): PastMove {
  const swappedMs = one['swapped-at-ms'];
  const { reason } = one.plan;
  return {
    relocation_id: one['relocation-id'],
    table: tableName({ namespace: one.namespace, name: one.table }),
    state: one.state,
    begun: isoOf(one['created-at-ms']),
    swapped: swappedMs === null ? null : isoOf(swappedMs),
    command: reason?.command ?? null,
    reason: reason?.text ?? null,
    files: one.plan['data-files'],
    bytes: one.plan.bytes,
    moves: reason?.moves ?? [],
    retired_waiting: waiting,
    grace_ends: swappedMs === null ? null : isoOf(swappedMs + one['grace-ms']),
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
