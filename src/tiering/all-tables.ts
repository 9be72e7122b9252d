import type { Catalog, LoadedTable, Namespace, TableIdentifier } from '../catalog-client/catalog.ts';
import { type ListedTable, listEveryTable } from '../catalog-client/listed-table.ts';
import { isKind, LakeError } from '../errors.ts';

/** How often tables may change their names while they are read. */
const MOST_LISTINGS = 100;

/**
 * Loads every table of the catalog once, told apart by uuid; one that is dropped meanwhile is left out. Tables that exchange their
 * names meanwhile are both found: it goes on until nothing is listed that was not loaded.
 */
export async function* allTables(catalog: Catalog): AsyncIterable<LoadedTable> {
  const seen = new Set<string>();
  for (let listing = 0; listing < MOST_LISTINGS; listing++) {
    const listed = await everyTable(catalog);
    if (listed === null) return yield* byNamespace(catalog);
    const missing = listed.filter((table) => !seen.has(table['table-uuid']));
    if (missing.length === 0) return;
    for (const { namespace, name } of missing) {
      const loaded = await loadIfThere(catalog, { namespace, name });
      if (loaded === null || seen.has(loaded.metadata['table-uuid'])) continue;
      seen.add(loaded.metadata['table-uuid']);
      yield loaded;
    }
  }
  throw new LakeError('conflict', 'tables were renamed again and again while they were read', {
    hint: 'nothing was deleted; try again when fewer tables are renamed',
  });
}

/** Null where the catalog is not ours. */
async function everyTable(catalog: Catalog): Promise<readonly ListedTable[] | null> {
  try {
    return await listEveryTable(catalog);
  } catch (error) {
    if (isKind(error, 'unsupported')) return null;
    throw error;
  }
}

async function* byNamespace(catalog: Catalog, parent?: Namespace): AsyncIterable<LoadedTable> {
  for (const namespace of await catalog.listNamespaces(parent)) {
    for (const identifier of await catalog.listTables(namespace)) {
      const loaded = await loadIfThere(catalog, identifier);
      if (loaded !== null) yield loaded;
    }
    yield* byNamespace(catalog, namespace);
  }
}

async function loadIfThere(catalog: Catalog, identifier: TableIdentifier): Promise<LoadedTable | null> {
  try {
    return await catalog.loadTable(identifier);
  } catch (error) {
    if (isKind(error, 'not-found')) return null;
    throw error;
  }
}
