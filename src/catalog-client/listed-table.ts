import type { Catalog, Namespace, TableIdentifier } from './catalog.ts';

/** A table as a listing of the whole catalog has it. */
export interface ListedTable extends TableIdentifier {
  readonly 'table-uuid': string;
  readonly 'metadata-location': string;
}

/** What else has files that stay: a view (`table-uuid` is its own), or a dropped table that can be brought back. */
export interface ListedOther extends ListedTable {
  readonly kind: 'view' | 'dropped';
}

/** Everything in the catalog that has files, at one moment. */
export interface StandingListing {
  readonly tables: readonly ListedTable[];
  /** Absent where the catalog is of a version that does not tell. */
  readonly others?: readonly ListedOther[];
}

/** All that has files, at one moment. Fails with `unsupported` where the catalog is not a Lakewarden one. */
export function listStanding(catalog: Catalog): Promise<StandingListing> {
  return catalog.extension<StandingListing>('GET', '/lake/v1/tables');
}

/**
 * Every table of the catalog, each once by its uuid, as they all were at one moment: no rename can hide one.
 * Fails with `unsupported` where the catalog is not a Lakewarden one.
 */
export async function listEveryTable(catalog: Catalog): Promise<readonly ListedTable[]> {
  return (await listStanding(catalog)).tables;
}

/** The names of all tables, namespaces within namespaces included, as any catalog tells them: one that is renamed meanwhile may be missed. */
export async function tableNames(catalog: Catalog, parent?: Namespace): Promise<TableIdentifier[]> {
  const names: TableIdentifier[] = [];
  for (const namespace of await catalog.listNamespaces(parent)) {
    names.push(...(await catalog.listTables(namespace)), ...(await tableNames(catalog, namespace)));
  }
  return names;
}
