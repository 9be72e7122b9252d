import type { Catalog } from '../../../catalog-client/catalog.ts';

/** All rows of a paged list of the catalog's, `key` being the member that holds them. `path` may have a query. */
export async function everyRow<T>(catalog: Catalog, path: string, key: string): Promise<readonly T[]> {
  const rows: T[] = [];
  for (let token: string | null = ''; token !== null; ) {
    const from: string = token === '' ? '' : `page-token=${encodeURIComponent(token)}`;
    const url: string = from === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${from}`;
    const page: Readonly<Record<string, unknown>> = await catalog.extension('GET', url);
    const found = page[key];
    if (Array.isArray(found)) rows.push(...(found as T[]));
    const next: unknown = page['next-page-token'];
    token = typeof next === 'string' ? next : null;
  }
  return rows;
}
