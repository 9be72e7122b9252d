import type { Catalog, TableIdentifier } from './catalog.ts';

/** A table that was dropped. `dropped` can be brought back; `purging` and `listed` wait for the removal of their files. */
export interface DroppedTable {
  readonly id: string;
  readonly namespace: readonly string[];
  readonly table: string;
  readonly 'table-uuid': string;
  readonly 'metadata-location': string;
  readonly 'dropped-at-ms': number;
  readonly state: 'dropped' | 'purging' | 'listed' | 'purged';
  /** Why a purge waits. */
  readonly note?: string;
}

interface Page {
  readonly 'dropped-tables': readonly DroppedTable[];
  readonly 'next-page-token'?: string | null;
}

/** Every dropped table that the catalog remembers. Fails with `unsupported` where the catalog is not a Lakewarden one. */
export async function listDropped(catalog: Catalog): Promise<readonly DroppedTable[]> {
  const found: DroppedTable[] = [];
  let token = '';
  do {
    const path = `/lake/v1/dropped-tables?page-token=${encodeURIComponent(token)}`;
    const page = await catalog.extension<Page>('GET', token === '' ? '/lake/v1/dropped-tables' : path);
    found.push(...page['dropped-tables']);
    token = page['next-page-token'] ?? '';
  } while (token !== '');
  return found;
}

/**
 * Brings a dropped table back, under `to` or its old name. Errors: `already-exists` if the name is taken, `conflict` if its files are being
 * removed, `not-found`.
 */
export async function undrop(catalog: Catalog, id: string, to?: TableIdentifier): Promise<TableIdentifier> {
  const { namespace, table } = await catalog.extension<{ namespace: readonly string[]; table: string }>(
    'POST',
    `/lake/v1/dropped-tables/${encodeURIComponent(id)}/undrop`,
    to === undefined ? {} : { to },
  );
  return { namespace, name: table };
}

/**
 * Deletes a dropped table's files for good: what no other table names; the catalog goes on with it by itself. Errors: `not-found`, `conflict` if that began
 * already, `invalid-argument` where `gc.enabled` is false.
 */
export async function purgeDropped(catalog: Catalog, id: string): Promise<void> {
  await catalog.extension('POST', `/lake/v1/dropped-tables/${encodeURIComponent(id)}/purge`);
}
