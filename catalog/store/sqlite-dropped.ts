import { LakeError } from '../../src/errors.ts';
import type { DroppedTable, DropState, Page, PageRequest, TableName, TablePointer } from './catalog-store.ts';
import { movedOn, tableText } from './not-there.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { joinLevels, limitOf, splitLevels, toPage } from './sqlite-namespaces.ts';
import { oneOf } from './sqlite-relocations.ts';
import { changePointer } from './sqlite-tables.ts';

const STATES: readonly DropState[] = ['dropped', 'purging', 'listed', 'purged'];

/** Keeps a dropped table's pointer, inside the transaction that drops it. */
export function recordDrop(
  database: SqliteDatabase,
  pointer: TablePointer,
  drop: { readonly id: string; readonly nowMs: number; readonly state: DropState },
): void {
  database.run(
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

export function listDropped(
  database: SqliteDatabase,
  states: readonly DropState[],
  page: PageRequest,
): Page<DroppedTable> {
  const rows = database.all(
    `SELECT * FROM dropped_tables WHERE drop_id > ? AND state IN (SELECT value FROM json_each(?))
     ORDER BY drop_id LIMIT ?`,
    page.after ?? '',
    JSON.stringify(states),
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

export function requireDropped(database: SqliteDatabase, id: string): DroppedTable {
  const row = database.get('SELECT * FROM dropped_tables WHERE drop_id = ?', id);
  if (row === undefined) {
    throw new LakeError('not-found', `There is no dropped table ${id}`, {
      hint: 'GET /lake/v1/dropped-tables lists them.',
    });
  }
  return droppedOf(row);
}

/** Gives a dropped table a name again, its own or another; the pointer that it had is what comes back. */
export function undrop(database: SqliteDatabase, id: string, to: TableName | null): TablePointer {
  const dropped = requireDropped(database, id);
  if (dropped.state !== 'dropped') {
    throw movedOn(`Table ${tableText(dropped)} was dropped with purge and cannot come back`);
  }
  const { namespace, name } = to ?? dropped;
  const pointer = { namespace, name, uuid: dropped.uuid, metadataLocation: dropped.metadataLocation };
  changePointer(database, 'Table', { ...pointer, expected: null });
  return pointer;
}

/** From now on the table cannot come back. `conflict` if its purge began already. */
export function startPurge(database: SqliteDatabase, id: string): void {
  const { state } = requireDropped(database, id);
  if (state !== 'dropped') throw movedOn(`The purge of dropped table ${id} began already`);
  database.run("UPDATE dropped_tables SET state = 'purging' WHERE drop_id = ?", id);
}

export function setPurgeState(
  database: SqliteDatabase,
  id: string,
  change: { readonly state: DropState; readonly note: string | null },
): void {
  database.run(
    'UPDATE dropped_tables SET state = ?, note = ? WHERE drop_id = ?',
    change.state,
    change.note,
    id,
  );
  if (change.state === 'purged') database.run('DELETE FROM purge_files WHERE drop_id = ?', id);
}

/** Notes files as the purge's candidates; ones that are noted already are fine. */
export function addPurgeFiles(
  database: SqliteDatabase,
  id: string,
  files: readonly { readonly object: string; readonly location: string }[],
): void {
  database.run(
    `INSERT INTO purge_files
     SELECT ?, json_extract(value, '$.object'), json_extract(value, '$.location') FROM json_each(?) WHERE true
     ON CONFLICT DO NOTHING`,
    id,
    JSON.stringify(files),
  );
}

/** Takes files off the candidates: somebody names them, or they are deleted. */
export function removePurgeFiles(database: SqliteDatabase, id: string, objects: readonly string[]): number {
  return database.run(
    'DELETE FROM purge_files WHERE drop_id = ? AND object IN (SELECT value FROM json_each(?))',
    id,
    JSON.stringify(objects),
  );
}

/** Objects that a relocation retired are the ledger's to delete. */
export function leaveToLedger(database: SqliteDatabase, id: string): number {
  return database.run(
    `DELETE FROM purge_files WHERE drop_id = ?
       AND location IN (SELECT location FROM ledger WHERE deleted_at_ms IS NULL)`,
    id,
  );
}

export function nextPurgeFiles(
  database: SqliteDatabase,
  id: string,
  limit: number,
): readonly { readonly object: string; readonly location: string }[] {
  return database
    .all('SELECT object, location FROM purge_files WHERE drop_id = ? ORDER BY object LIMIT ?', id, limit)
    .map((row) => ({ object: String(row['object']), location: String(row['location']) }));
}

/** True while somebody holds the lease of a table. */
export function isLeased(database: SqliteDatabase, tableUuid: string, nowMs: number): boolean {
  const sql = 'SELECT 1 FROM leases WHERE table_uuid = ? AND expires_at_ms > ?';
  return database.get(sql, tableUuid, nowMs) !== undefined;
}
