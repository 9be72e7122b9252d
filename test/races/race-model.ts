import type { RacedTable } from './racing-lake.ts';

/** A change of rows that only one writer touches: each gets the value `v`, or is gone. */
export interface Change {
  readonly table: RacedTable;
  readonly kind: 'append' | 'upsert' | 'delete';
  readonly ids: readonly number[];
  readonly v: number;
}

/** A change that the table has acknowledged, with the sequence number of its snapshot. */
export interface Acknowledged extends Change {
  readonly sequence: number;
}

/** Applies a change to rows by id. */
export function apply(rows: Map<number, number>, change: Change): void {
  for (const id of change.ids) {
    if (change.kind === 'delete') rows.delete(id);
    else rows.set(id, change.v);
  }
}

/**
 * What a table answers as of sequence numbers, as `rowsAt` has it: all changes acknowledged up to there, each once.
 *
 * @returns per sequence number the rows, joined by commas
 */
export function expectedAt(
  changes: readonly Acknowledged[],
  table: RacedTable,
  sequences: readonly number[],
): Map<number, string> {
  const due = changes.filter((change) => change.table === table).sort((a, b) => a.sequence - b.sequence);
  const rows = new Map<number, number>();
  const expected = new Map<number, string>();
  let next = 0;
  for (const sequence of [...new Set(sequences)].sort((a, b) => a - b)) {
    for (let change = due[next]; change !== undefined && change.sequence <= sequence; change = due[++next])
      apply(rows, change);
    const sorted = [...rows].sort(([a], [b]) => a - b);
    expected.set(sequence, sorted.map(([id, v]) => `${id}:${v}`).join());
  }
  return expected;
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
