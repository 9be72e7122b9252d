import type { Catalog, LoadedTable, TableIdentifier } from '../catalog-client/catalog.ts';
import {
  type ListedOther,
  listStanding,
  type StandingListing,
  tableNames,
} from '../catalog-client/listed-table.ts';
import { isKind, LakeError } from '../errors.ts';

/** How often tables may change their names while they are read. */
const MOST_LISTINGS = 100;

/** What has files in the catalog: a table as it was loaded, a view or restorable drop as it was listed. */
export type Standing =
  | { readonly kind: 'table'; readonly table: LoadedTable }
  | { readonly kind: 'other'; readonly listed: ListedOther }
  /** The catalog does not tell of views and drops. */
  | { readonly kind: 'untold' };

/**
 * Loads every table of the catalog once, told apart by uuid; one that is dropped meanwhile is left out. Tables that exchange their
 * names meanwhile are both found: it goes on until nothing is listed that was not loaded.
 */
export async function* allTables(catalog: Catalog): AsyncIterable<LoadedTable> {
  for await (const one of allStanding(catalog)) if (one.kind === 'table') yield one.table;
}

/** As `allTables`, with the views and the dropped tables that can come back: a table that is dropped meanwhile is found as a drop. */
export async function* allStanding(catalog: Catalog): AsyncIterable<Standing> {
  const seen = new Set<string>();
  const seenOthers = new Set<string>();
  for (let listing = 0; listing < MOST_LISTINGS; listing++) {
    const listed = await everything(catalog);
    if (listing === 0 && listed?.others === undefined) yield { kind: 'untold' };
    if (listed === null) return yield* byNamespace(catalog);
    const missing = listed.tables.filter((table) => !seen.has(table['table-uuid']));
    const others = (listed.others ?? []).filter((one) => !seenOthers.has(one['table-uuid']));
    if (missing.length === 0 && others.length === 0) return;
    for (const other of others) {
      seenOthers.add(other['table-uuid']);
      yield { kind: 'other', listed: other };
    }
    for (const { namespace, name } of missing) {
      const loaded = await loadIfThere(catalog, { namespace, name });
      if (loaded === null || seen.has(loaded.metadata['table-uuid'])) continue;
      seen.add(loaded.metadata['table-uuid']);
      yield { kind: 'table', table: loaded };
    }
  }
  throw new LakeError('conflict', 'tables were renamed again and again while they were read', {
    hint: 'nothing was deleted; try again when fewer tables are renamed',
  });
}

/** Null where the catalog is not ours. */
async function everything(catalog: Catalog): Promise<StandingListing | null> {
  try {
    return await listStanding(catalog);
  } catch (error) {
    if (isKind(error, 'unsupported')) return null;
    throw error;
  }
}

async function* byNamespace(catalog: Catalog): AsyncIterable<Standing> {
  for (const identifier of await tableNames(catalog)) {
    const loaded = await loadIfThere(catalog, identifier);
    if (loaded !== null) yield { kind: 'table', table: loaded };
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
