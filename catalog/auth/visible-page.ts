import type { Page, PageRequest } from '../store/catalog-store.ts';
import { toPage } from '../store/page.ts';

const FETCHED_AT_LEAST = 500;

/**
 * A page of the rows that the caller may see, as full as it can be: a short page, or a token that is the key of a hidden row, would tell of
 * rows that they may not know of.
 *
 * @param fetch a page of all rows
 * @param keyOf the key of a row, as the store's pages go on after it
 */
export async function visiblePage<T>(
  fetch: (page: PageRequest) => Promise<Page<T>>,
  page: PageRequest,
  rows: { readonly isVisible: (row: T) => boolean | Promise<boolean>; readonly keyOf: (row: T) => string },
): Promise<Page<T>> {
  const visible: T[] = [];
  const { limit = Number.POSITIVE_INFINITY } = page;
  for (let after = page.after; ; ) {
    // However short the page: whoever sees one of many rows must not cost a query for each hidden one.
    const size = page.limit === undefined ? {} : { limit: Math.max(page.limit, FETCHED_AT_LEAST) };
    const found = await fetch({ ...page, ...size, ...(after === undefined ? {} : { after }) });
    for (const row of found.rows) {
      if (visible.length > limit) break;
      if (await rows.isVisible(row)) visible.push(row);
    }
    if (found.next === null || visible.length > limit) return toPage(visible, page, rows.keyOf);
    after = found.next;
  }
}
