import { LakeError } from '../../src/errors.ts';
import type {
  Levels,
  Page,
  PageRequest,
  PointerChange,
  StandingPointer,
  TableName,
  TablePointer,
} from './catalog-store.ts';
import {
  movedOn,
  nameTaken,
  noSuchTable,
  noSuchView,
  type Relation,
  tableText,
  targetTaken,
} from './not-there.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { joinLevels, limitOf, requireNamespace, splitLevels, toPage } from './sqlite-namespaces.ts';

/** Tables and views stand in tables of the same shape. */
const STORED: Readonly<Record<Relation, 'tables' | 'views'>> = { Table: 'tables', View: 'views' };
const ABSENT = { Table: noSuchTable, View: noSuchView };

export function listNames(
  database: SqliteDatabase,
  relation: Relation,
  namespace: Levels,
  page: PageRequest,
): Page<string> {
  requireNamespace(database, namespace);
  const rows = database.all(
    `SELECT name FROM ${STORED[relation]} WHERE namespace = ? AND name > ? ORDER BY name LIMIT ?`,
    joinLevels(namespace),
    page.after ?? '',
    limitOf(page),
  );
  const names = rows.map((row) => String(row['name']));
  return toPage(names, page, (name) => name);
}

/** One statement, so that no rename can come in between. */
export function allTables(database: SqliteDatabase): readonly TablePointer[] {
  const rows = database.all('SELECT namespace, name, uuid, metadata_location FROM tables ORDER BY uuid');
  return rows.map((row) =>
    pointerOf({ namespace: splitLevels(String(row['namespace'])), name: String(row['name']) }, row),
  );
}

/** One statement, so that no drop, undrop or rename can come in between. */
export function allStanding(database: SqliteDatabase): readonly StandingPointer[] {
  const rows = database.all(
    `SELECT 'table' AS kind, namespace, name, uuid, metadata_location FROM tables
     UNION ALL SELECT 'view', namespace, name, uuid, metadata_location FROM views
     UNION ALL SELECT 'dropped', namespace, name, uuid, metadata_location FROM dropped_tables WHERE state = 'dropped'
     ORDER BY uuid`,
  );
  return rows.map((row) => ({
    ...pointerOf({ namespace: splitLevels(String(row['namespace'])), name: String(row['name']) }, row),
    kind: row['kind'] === 'table' || row['kind'] === 'view' ? row['kind'] : 'dropped',
  }));
}

export function find(database: SqliteDatabase, relation: Relation, name: TableName): TablePointer | null {
  const row = database.get(
    `SELECT uuid, metadata_location FROM ${STORED[relation]} WHERE namespace = ? AND name = ?`,
    joinLevels(name.namespace),
    name.name,
  );
  return row === undefined ? null : pointerOf(name, row);
}

function pointerOf(table: TableName, row: Row): TablePointer {
  return {
    namespace: table.namespace,
    name: table.name,
    uuid: String(row['uuid']),
    metadataLocation: String(row['metadata_location']),
  };
}

/** What has the name, if anything. */
function holder(database: SqliteDatabase, name: TableName): Relation | null {
  if (find(database, 'Table', name) !== null) return 'Table';
  return find(database, 'View', name) === null ? null : 'View';
}

/** One compare-and-set inside the caller's transaction. */
export function changePointer(database: SqliteDatabase, relation: Relation, change: PointerChange): void {
  const current = find(database, relation, change);
  if (change.expected === null) {
    insert(database, relation, change);
    return;
  }
  if (current === null) throw ABSENT[relation](change);
  if (current.metadataLocation !== change.expected) {
    throw movedOn(`${relation} ${tableText(change)} was changed by another commit`);
  }
  if (relation === 'Table' && current.uuid !== change.uuid) takeUuid(database, change);
  database.run(
    `UPDATE ${STORED[relation]} SET uuid = ?, metadata_location = ? WHERE namespace = ? AND name = ?`,
    change.uuid,
    change.metadataLocation,
    joinLevels(change.namespace),
    change.name,
  );
}

function insert(database: SqliteDatabase, relation: Relation, pointer: TablePointer): void {
  requireNamespace(database, pointer.namespace);
  const found = holder(database, pointer);
  if (found !== null) throw nameTaken(pointer, relation, found);
  if (relation === 'Table') takeUuid(database, pointer);
  database.run(
    `INSERT INTO ${STORED[relation]} VALUES (?, ?, ?, ?)`,
    joinLevels(pointer.namespace),
    pointer.name,
    pointer.uuid,
    pointer.metadataLocation,
  );
}

/**
 * Leases, journal, ledger and fences go by a table's uuid, so that no two names may share one. A dropped table that is registered
 * anew cannot be brought back a second time; one whose purge began is lost.
 */
function takeUuid(database: SqliteDatabase, pointer: TablePointer): void {
  const other = database.get('SELECT namespace, name FROM tables WHERE uuid = ?', pointer.uuid);
  if (other !== undefined) {
    const name = { namespace: splitLevels(String(other['namespace'])), name: String(other['name']) };
    throw new LakeError(
      'already-exists',
      `Table with same uuid already exists: ${tableText(name)} (${pointer.uuid})`,
      { hint: 'Nothing was changed: rename that table, or drop it (without purge) first.' },
    );
  }
  const purged = "SELECT 1 FROM dropped_tables WHERE uuid = ? AND state <> 'dropped'";
  if (database.get(purged, pointer.uuid) !== undefined) {
    throw new LakeError(
      'already-exists',
      `Table ${pointer.uuid} was dropped with purge: its files are deleted`,
      {
        hint: 'Nothing was changed: create a table of its own with a new uuid.',
      },
    );
  }
  database.run('DELETE FROM dropped_tables WHERE uuid = ?', pointer.uuid);
}

/** `expected`: where its metadata has to be; null for wherever it is. */
export function drop(
  database: SqliteDatabase,
  relation: Relation,
  name: TableName,
  expected: string | null,
): TablePointer {
  const pointer = find(database, relation, name);
  if (pointer === null) throw ABSENT[relation](name);
  if (expected !== null && pointer.metadataLocation !== expected) {
    throw movedOn(`${relation} ${tableText(name)} was changed by another commit`);
  }
  database.run(
    `DELETE FROM ${STORED[relation]} WHERE namespace = ? AND name = ?`,
    joinLevels(name.namespace),
    name.name,
  );
  return pointer;
}

export function rename(database: SqliteDatabase, relation: Relation, from: TableName, to: TableName): void {
  if (find(database, relation, from) === null) throw ABSENT[relation](from);
  requireNamespace(database, to.namespace);
  const found = holder(database, to);
  if (found !== null) throw targetTaken(from, to, found);
  database.run(
    `UPDATE ${STORED[relation]} SET namespace = ?, name = ? WHERE namespace = ? AND name = ?`,
    joinLevels(to.namespace),
    to.name,
    joinLevels(from.namespace),
    from.name,
  );
}
