import type { SqlValue } from './sql-database.ts';

/** Most values of one statement; SQLite takes 32,766. */
const LONGEST_LIST = 512;

/** Cuts `values` to lists that one statement takes. */
export function* inLists<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < values.length; at += LONGEST_LIST) yield padded(values.slice(at, at + LONGEST_LIST));
}

/** `?, ?, ?` for as many values. */
export const marks = (values: readonly SqlValue[]): string => values.map(() => '?').join(', ');

/** The last one is repeated up to a power of two, so that few statements serve lists of all lengths. */
function padded<T>(values: readonly T[]): readonly T[] {
  const last = values.at(-1);
  if (last === undefined) return values;
  const length = 2 ** Math.ceil(Math.log2(values.length));
  return [...values, ...Array.from({ length: length - values.length }, () => last)];
}
