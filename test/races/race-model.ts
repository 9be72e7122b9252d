import type { RacedTable } from './racing-lake.ts';

/** A change of rows that only one writer touches: ids from `first`, `count` of them, each with the value `v`, or every `step`-th of them gone. */
export interface Change {
  readonly table: RacedTable;
  readonly kind: 'append' | 'upsert' | 'delete';
  readonly first: number;
  readonly count: number;
  readonly step: number;
  readonly v: number;
}

/** A change that the table has acknowledged, with the sequence number of its snapshot. */
export interface Acknowledged extends Change {
  readonly sequence: number;
}

/** The ids that a change touches. */
export const idsOf = ({ first, count, step }: Change): number[] =>
  Array.from({ length: Math.ceil(count / step) }, (_, at) => first + at * step);

/** Applies a change to rows by id. */
export function apply(rows: Map<number, number>, change: Change): void {
  for (const id of idsOf(change)) {
    if (change.kind === 'delete') rows.delete(id);
    else rows.set(id, change.v);
  }
}

/** What a table answers as of a sequence number, as `rowsAt` has it: all changes acknowledged up to there, each once. */
export function expectedAt(changes: readonly Acknowledged[], table: RacedTable, sequence: number): string[] {
  const rows = new Map<number, number>();
  for (const change of changes)
    if (change.table === table && change.sequence <= sequence) apply(rows, change);
  return [...rows].sort(([a], [b]) => a - b).map(([id, v]) => `${id}:${v}`);
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a run's choices can be made again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
