import type { Catalog } from '../catalog-client/catalog.ts';
import { tableNames } from '../catalog-client/listed-table.ts';
import { isKind, LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, parseTableName, type Table, tableName } from '../table/table.ts';

/** The error for a table that is not there, with the nearest name of those that are. */
export async function noSuchTable(catalog: Catalog, name: string): Promise<LakeError> {
  const names = (await tableNames(catalog)).map(tableName).sort();
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
