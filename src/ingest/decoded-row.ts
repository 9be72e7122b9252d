import type { RecordBatch } from 'apache-arrow';
import type { Cells } from '../parquet/cell.ts';

/** What is wrong with a row. */
export interface RowProblem {
  /** Null where the whole row is at fault. */
  readonly column: string | null;
  readonly value: string | null;
  /** What is wrong and what is expected in its place. */
  readonly reason: string;
}

/** A row that fits the table. */
export interface GoodRow {
  readonly cells: Cells;
}

/** A row that does not. */
export interface BadRow {
  /** Line of the file, from 1; for Avro and Parquet the number of the record, from 1. */
  readonly line: number;
  readonly problems: readonly RowProblem[];
  /** The row as it stands in the file, as text. */
  readonly raw: string;
}

export type DecodedRow = GoodRow | BadRow;

/** Rows as they come from a file: decoded one by one, or an Arrow batch that fits the table as it is. */
export type Chunk = { readonly rows: readonly DecodedRow[] } | { readonly batch: RecordBatch };

/** True for a row that does not fit. */
export const isBad = (row: DecodedRow): row is BadRow => 'problems' in row;

const SHOWN = 80;

/** A value for messages: not longer than a line. */
export function shown(value: string): string {
  return value.length <= SHOWN ? value : `${value.slice(0, SHOWN)}…`;
}
