import type { Catalog } from '../catalog-client/catalog.ts';
import { type DroppedTable, listDropped } from '../catalog-client/dropped-table.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { tableName } from '../table/table.ts';
import type { Session } from './session.ts';

const nameOf = ({ namespace, table }: DroppedTable): string => tableName({ namespace, name: table });

const lastFirst = (dropped: readonly DroppedTable[]): DroppedTable[] =>
  [...dropped].sort((a, b) => b['dropped-at-ms'] - a['dropped-at-ms']);

/** Prints the dropped tables that the catalog remembers, the last one first. */
export async function listDroppedTables(session: Session): Promise<void> {
  const { catalog } = await session.lake();
  const rows = lastFirst(await listDropped(catalog)).map((one) => ({
    table: nameOf(one),
    dropped_at: new Date(one['dropped-at-ms']).toISOString(),
    state: one.state,
    note: one.note ?? null,
    id: one.id,
  }));
  await session.output.rows(rows, {
    empty: 'No table was dropped.',
    columns: [
      { key: 'table' },
      { key: 'dropped_at', heading: 'dropped' },
      { key: 'state' },
      { key: 'note' },
      { key: 'id' },
    ],
  });
}

/**
 * A dropped table that is still whole, by its id or the name that it had; of several of one name the one that was dropped last.
 *
 * @throws LakeError `not-found` with the nearest name
 */
export async function findDropped(catalog: Catalog, text: string): Promise<DroppedTable> {
  const dropped = lastFirst((await listDropped(catalog)).filter((one) => one.state === 'dropped'));
  const found = dropped.find((one) => one.id === text) ?? dropped.find((one) => nameOf(one) === text);
  if (found !== undefined) return found;
  const nearest = nearestName(text, dropped.map(nameOf));
  const list = '`lake table list --dropped` shows the dropped tables and what has become of them.';
  throw new LakeError('not-found', `There is no dropped table ${text} whose files are still there.`, {
    hint: nearest === null ? list : `Did you mean ${nearest}? ${list}`,
  });
}
