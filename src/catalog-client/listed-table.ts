import type { Catalog, TableIdentifier } from './catalog.ts';

/** A table as a listing of the whole catalog has it. */
export interface ListedTable extends TableIdentifier {
  readonly 'table-uuid': string;
  readonly 'metadata-location': string;
}

/**
 * Every table of the catalog, each once by its uuid, as they all were at one moment: no rename can hide one.
 * Fails with `unsupported` where the catalog is not a Lakewarden one.
 */
export async function listEveryTable(catalog: Catalog): Promise<readonly ListedTable[]> {
  const found = await catalog.extension<{ tables: readonly ListedTable[] }>('GET', '/lake/v1/tables');
  return found.tables;
}
