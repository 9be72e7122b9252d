import type { Catalog, Namespace, TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, parseTableName, type Table, tableName } from '../table/table.ts';

/** Every table of the catalog, namespaces within namespaces included, in the order of their names. */
export async function allTables(catalog: Catalog, parent?: Namespace): Promise<TableIdentifier[]> {
  const namespaces = await catalog.listNamespaces(parent);
  const below = await Promise.all(
    namespaces.map(async (namespace) => [
      ...(await catalog.listTables(namespace)),
      ...(await allTables(catalog, namespace)),
    ]),
  );
  return below.flat().sort((a, b) => (tableName(a) < tableName(b) ? -1 : 1));
}

/** The error for a table that is not there, with the nearest name of those that are. */
export async function noSuchTable(catalog: Catalog, name: string): Promise<LakeError> {
  const names = (await allTables(catalog)).map(tableName);
  const nearest = nearestName(name, names);
  const list =
    names.length === 0
      ? 'There are no tables yet: `lake run` builds them.'
      : `There are: ${names.join(', ')}.`;
  const hint = nearest === null ? list : `Did you mean ${nearest}? \`lake table list\` shows all tables.`;
  return new LakeError('not-found', `There is no table ${name}.`, { hint });
}

/**
 * Opens a table by the name that the user typed.
 *
 * @throws LakeError `not-found` with the nearest name, `usage` for what is no table name
 */
export async function findTable(context: LakeContext, name: string): Promise<Table> {
  const identifier = parseTableName(name);
  try {
    return await openTable(context, identifier);
  } catch (error) {
    if (isKind(error, 'not-found')) throw await noSuchTable(context.catalog, name);
    throw error;
  }
}
