import { BufferType, type Data, type DataType } from 'apache-arrow';
import type { Cell } from './cell.ts';
import type { Validity } from './validity.ts';

/** What a column is made of, without its nulls. */
export interface CellStore {
  /** Bytes held, spare room included. */
  readonly bytes: number;
  /** Bytes of cells. */
  readonly used: number;
  append(cell: Exclude<Cell, null>): void;
  /** A place for a null. */
  skip(): void;
  /** Copies cells of an Arrow column of the same type: those at `rows`, or all. False if it must go cell by cell. */
  copy(source: Data, rows: Int32Array | null): boolean;
  finish(type: DataType, length: number, validity: Validity): Data;
}

type DataBuffers = ConstructorParameters<typeof Data>[4];

/** The buffers of a column with its null bitmap. */
export function withValidity(validity: Validity, buffers: NonNullable<DataBuffers>): DataBuffers {
  const bitmap = validity.bitmap();
  return bitmap === undefined ? buffers : { ...buffers, [BufferType.VALIDITY]: bitmap };
}
