import type { Catalog, LoadedTable, Namespace } from '../catalog-client/catalog.ts';
import { isKind } from '../errors.ts';

/** Loads every table of the catalog, namespace by namespace; one that is dropped meanwhile is left out. */
export async function* allTables(catalog: Catalog, parent?: Namespace): AsyncIterable<LoadedTable> {
  for (const namespace of await catalog.listNamespaces(parent)) {
    for (const identifier of await catalog.listTables(namespace)) {
      const loaded = await loadIfThere(catalog, identifier);
      if (loaded !== null) yield loaded;
    }
    yield* allTables(catalog, namespace);
  }
}

async function loadIfThere(
  catalog: Catalog,
  identifier: LoadedTable['identifier'],
): Promise<LoadedTable | null> {
  try {
    return await catalog.loadTable(identifier);
  } catch (error) {
    if (isKind(error, 'not-found')) return null;
    throw error;
  }
}
