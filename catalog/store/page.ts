/** One page: rows after `after` in the order of their keys; all rows without `limit`. */
export interface PageRequest {
  readonly after?: string;
  readonly limit?: number;
}

/** A page with the key to go on after, null on the last one. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: string | null;
}

/** Cuts `rows` (fetched with one more than the limit) to a page. */
export function toPage<T>(rows: readonly T[], page: PageRequest, keyOf: (row: T) => string): Page<T> {
  if (page.limit === undefined || rows.length <= page.limit) return { rows, next: null };
  const kept = rows.slice(0, page.limit);
  const last = kept.at(-1);
  return { rows: kept, next: last === undefined ? null : keyOf(last) };
}

/** The LIMIT that lets `toPage` see whether more follows. */
export const limitOf = (page: PageRequest): number =>
  page.limit === undefined ? Number.MAX_SAFE_INTEGER : page.limit + 1;
