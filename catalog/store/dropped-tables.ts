import { LakeError } from '../../src/errors.ts';
import type { DroppedTable, DropState, Page, PageRequest, TableName, TablePointer } from './catalog-store.ts';
import { joinLevels, splitLevels } from './namespaces.ts';
import { movedOn, tableText } from './not-there.ts';
import { limitOf, toPage } from './page.ts';
import { oneOf } from './relocations.ts';
import type { Row, Sql } from './sql-database.ts';
import { changePointer } from './tables.ts';
import { inLists, marks } from './value-lists.ts';

const STATES: readonly DropState[] = ['dropped', 'purging', 'listed', 'purged'];
const COLUMNS = 'drop_id, namespace, name, uuid, metadata_location, dropped_at_ms, state, note';

/** Keeps a dropped table's pointer, inside the transaction that drops it. */
export async function recordDrop(
  sql: Sql,
  pointer: TablePointer,
  drop: { readonly id: string; readonly nowMs: number; readonly state: DropState },
): Promise<void> {
  await sql.run(
    'INSERT INTO dropped_tables VALUES (?, ?, ?, ?, ?, ?, ?, NULL)',
    drop.id,
    joinLevels(pointer.namespace),
    pointer.name,
    pointer.uuid,
    pointer.metadataLocation,
    drop.nowMs,
    drop.state,
  );
}

export async function listDropped(
  sql: Sql,
  states: readonly DropState[],
  page: PageRequest,
): Promise<Page<DroppedTable>> {
  const rows = await sql.all(
    `SELECT ${COLUMNS} FROM dropped_tables WHERE drop_id > ? AND state IN (${marks(states)})
     ORDER BY drop_id LIMIT ?`,
    page.after ?? '',
    ...states,
    limitOf(page),
  );
  return toPage(rows.map(droppedOf), page, (row) => row.id);
}

function droppedOf(row: Row): DroppedTable {
  return {
    id: String(row['drop_id']),
    namespace: splitLevels(String(row['namespace'])),
    name: String(row['name']),
    uuid: String(row['uuid']),
    metadataLocation: String(row['metadata_location']),
    droppedAtMs: Number(row['dropped_at_ms']),
    state: oneOf(STATES, row['state']),
    note: row['note'] === null ? null : String(row['note']),
  };
}

export async function requireDropped(sql: Sql, id: string): Promise<DroppedTable> {
  const row = await sql.get(`SELECT ${COLUMNS} FROM dropped_tables WHERE drop_id = ?`, id);
  if (row === undefined) {
    throw new LakeError('not-found', `There is no dropped table ${id}`, {
      hint: 'GET /lake/v1/dropped-tables lists them.',
    });
  }
  return droppedOf(row);
}

/** Gives a dropped table a name again, its own or another; the pointer that it had is what comes back. */
export async function undrop(sql: Sql, id: string, to: TableName | null): Promise<TablePointer> {
  const dropped = await requireDropped(sql, id);
  if (dropped.state !== 'dropped') {
    throw movedOn(`Table ${tableText(dropped)} was dropped with purge and cannot come back`);
  }
  const { namespace, name } = to ?? dropped;
  const pointer = { namespace, name, uuid: dropped.uuid, metadataLocation: dropped.metadataLocation };
  await changePointer(sql, 'Table', { ...pointer, expected: null });
  return pointer;
}

/** From now on the table cannot come back. `conflict` if its purge began already. */
export async function startPurge(sql: Sql, id: string): Promise<void> {
  const { state } = await requireDropped(sql, id);
  if (state !== 'dropped') throw movedOn(`The purge of dropped table ${id} began already`);
  await sql.run("UPDATE dropped_tables SET state = 'purging' WHERE drop_id = ?", id);
}

/** What another process has finished stays so. */
export async function setPurgeState(
  sql: Sql,
  id: string,
  change: { readonly state: DropState; readonly note: string | null },
): Promise<void> {
  await sql.run(
    "UPDATE dropped_tables SET state = ?, note = ? WHERE drop_id = ? AND state <> 'purged'",
    change.state,
    change.note,
    id,
  );
  if (change.state === 'purged') await sql.run('DELETE FROM purge_files WHERE drop_id = ?', id);
}

/** Notes files as the purge's candidates; ones that are noted already are fine. `conflict` if another process has finished it. */
export async function addPurgeFiles(
  sql: Sql,
  id: string,
  files: readonly { readonly object: string; readonly location: string }[],
): Promise<void> {
  const { state } = await requireDropped(sql, id);
  if (state === 'purged') throw movedOn(`The purge of dropped table ${id} is done already`);
  for (const some of inLists(files)) {
    await sql.run(
      `INSERT INTO purge_files VALUES ${some.map(() => '(?, ?, ?)').join(', ')} ON CONFLICT DO NOTHING`,
      ...some.flatMap(({ object, location }) => [id, object, location]),
    );
  }
}

/** Takes files off the candidates: somebody names them, or they are deleted. */
export async function removePurgeFiles(sql: Sql, id: string, objects: readonly string[]): Promise<number> {
  let removed = 0;
  for (const some of inLists(objects)) {
    const statement = `DELETE FROM purge_files WHERE drop_id = ? AND object IN (${marks(some)})`;
    removed += await sql.run(statement, id, ...some);
  }
  return removed;
}

/** Objects that a relocation retired are the ledger's to delete. */
export async function leaveToLedger(sql: Sql, id: string): Promise<number> {
  return sql.run(
    `DELETE FROM purge_files WHERE drop_id = ?
       AND location IN (SELECT location FROM ledger WHERE deleted_at_ms IS NULL)`,
    id,
  );
}

export async function nextPurgeFiles(
  sql: Sql,
  id: string,
  limit: number,
): Promise<readonly { readonly object: string; readonly location: string }[]> {
  const statement = 'SELECT object, location FROM purge_files WHERE drop_id = ? ORDER BY object LIMIT ?';
  const rows = await sql.all(statement, id, limit);
  return rows.map((row) => ({ object: String(row['object']), location: String(row['location']) }));
}

/** True while somebody holds the lease of a table. */
export async function isLeased(sql: Sql, tableUuid: string, nowMs: number): Promise<boolean> {
  const statement = 'SELECT 1 FROM leases WHERE table_uuid = ? AND expires_at_ms > ?';
  return (await sql.get(statement, tableUuid, nowMs)) !== undefined;
}
