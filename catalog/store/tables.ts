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
import { joinLevels, requireNamespace, splitLevels } from './namespaces.ts';
import {
  movedOn,
  nameTaken,
  noSuchTable,
  noSuchView,
  type Relation,
  refuseBranchName,
  tableText,
  targetTaken,
} from './not-there.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';

/** Tables and views stand in tables of the same shape. */
const STORED: Readonly<Record<Relation, 'tables' | 'views'>> = { Table: 'tables', View: 'views' };
const ABSENT = { Table: noSuchTable, View: noSuchView };

export async function listNames(
  sql: Sql,
  relation: Relation,
  namespace: Levels,
  page: PageRequest,
): Promise<Page<string>> {
  await requireNamespace(sql, namespace);
  const rows = await sql.all(
    `SELECT name FROM ${STORED[relation]} WHERE namespace = ? AND name > ? ORDER BY name LIMIT ?`,
    joinLevels(namespace),
    page.after ?? '',
    limitOf(page),
  );
  const names = rows.map((row) => String(row['name']));
  return toPage(names, page, (name) => name);
}

/** One statement, so that no rename can come in between. */
export async function allTables(sql: Sql): Promise<readonly TablePointer[]> {
  const rows = await sql.all('SELECT namespace, name, uuid, metadata_location FROM tables ORDER BY uuid');
  return rows.map((row) =>
    pointerOf({ namespace: splitLevels(String(row['namespace'])), name: String(row['name']) }, row),
  );
}

/** One statement, so that no drop, undrop or rename can come in between. */
export async function allStanding(sql: Sql): Promise<readonly StandingPointer[]> {
  const rows = await sql.all(
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

export async function find(sql: Sql, relation: Relation, name: TableName): Promise<TablePointer | null> {
  const row = await sql.get(
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
async function holder(sql: Sql, name: TableName): Promise<Relation | null> {
  if ((await find(sql, 'Table', name)) !== null) return 'Table';
  return (await find(sql, 'View', name)) === null ? null : 'View';
}

/**
 * One compare-and-set inside the caller's transaction; without `expected` the table or view is created. A pointer that stays with its
 * table's uuid changes no more than its own row: this may run beside changes of other names.
 */
export async function changePointer(sql: Sql, relation: Relation, change: PointerChange): Promise<void> {
  if (change.expected === null) return insert(sql, relation, change);
  const moved = await sql.run(
    `UPDATE ${STORED[relation]} SET metadata_location = ?
     WHERE namespace = ? AND name = ? AND metadata_location = ? AND uuid = ?`,
    change.metadataLocation,
    joinLevels(change.namespace),
    change.name,
    change.expected,
    change.uuid,
  );
  if (moved > 0) return;
  if ((await find(sql, relation, change)) === null) throw ABSENT[relation](change);
  throw movedOn(`${relation} ${tableText(change)} was changed by another commit`);
}

/** As `changePointer`, but another table, of another uuid, may take the name. Returns what had it before. */
export async function replacePointer(sql: Sql, change: PointerChange): Promise<TablePointer | null> {
  const current = await find(sql, 'Table', change);
  if (current === null || current.uuid === change.uuid || change.expected !== current.metadataLocation) {
    await changePointer(sql, 'Table', change);
    return current;
  }
  await takeUuid(sql, change);
  await sql.run(
    'UPDATE tables SET uuid = ?, metadata_location = ? WHERE namespace = ? AND name = ?',
    change.uuid,
    change.metadataLocation,
    joinLevels(change.namespace),
    change.name,
  );
  return current;
}

async function insert(sql: Sql, relation: Relation, pointer: TablePointer): Promise<void> {
  refuseBranchName(pointer);
  await requireNamespace(sql, pointer.namespace);
  const found = await holder(sql, pointer);
  if (found !== null) throw nameTaken(pointer, relation, found);
  if (relation === 'Table') await takeUuid(sql, pointer);
  else await refuseViewUuid(sql, pointer);
  await sql.run(
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
async function takeUuid(sql: Sql, pointer: TablePointer): Promise<void> {
  const other = await sql.get('SELECT namespace, name FROM tables WHERE uuid = ?', pointer.uuid);
  if (other !== undefined) {
    const name = { namespace: splitLevels(String(other['namespace'])), name: String(other['name']) };
    throw new LakeError(
      'already-exists',
      `Table with same uuid already exists: ${tableText(name)} (${pointer.uuid})`,
      { hint: 'Nothing was changed: rename that table, or drop it (without purge) first.' },
    );
  }
  const purged = "SELECT 1 FROM dropped_tables WHERE uuid = ? AND state <> 'dropped'";
  if ((await sql.get(purged, pointer.uuid)) !== undefined) {
    throw new LakeError(
      'already-exists',
      `Table ${pointer.uuid} was dropped with purge: its files are deleted`,
      {
        hint: 'Nothing was changed: create a table of its own with a new uuid.',
      },
    );
  }
  await sql.run('DELETE FROM dropped_tables WHERE uuid = ?', pointer.uuid);
}

/** Grants and places go by a view's uuid: who could give it to a view of theirs could grant themselves the other one. */
async function refuseViewUuid(sql: Sql, { uuid }: TablePointer): Promise<void> {
  if ((await sql.get('SELECT 1 AS one FROM views WHERE uuid = ? LIMIT 1', uuid)) === undefined) return;
  throw new LakeError('already-exists', 'A view with the same uuid is known to the catalog', {
    hint: 'Nothing was changed: drop that view first, or make one of its own.',
  });
}

/** `expected`: where its metadata has to be; null for wherever it is. */
export async function drop(
  sql: Sql,
  relation: Relation,
  name: TableName,
  expected: string | null,
): Promise<TablePointer> {
  const pointer = await find(sql, relation, name);
  if (pointer === null) throw ABSENT[relation](name);
  if (expected !== null && pointer.metadataLocation !== expected) {
    throw movedOn(`${relation} ${tableText(name)} was changed by another commit`);
  }
  await sql.run(
    `DELETE FROM ${STORED[relation]} WHERE namespace = ? AND name = ?`,
    joinLevels(name.namespace),
    name.name,
  );
  return pointer;
}

export async function rename(sql: Sql, relation: Relation, from: TableName, to: TableName): Promise<void> {
  if ((await find(sql, relation, from)) === null) throw ABSENT[relation](from);
  refuseBranchName(to);
  await requireNamespace(sql, to.namespace);
  const found = await holder(sql, to);
  if (found !== null) throw targetTaken(from, to, found);
  await sql.run(
    `UPDATE ${STORED[relation]} SET namespace = ?, name = ? WHERE namespace = ? AND name = ?`,
    joinLevels(to.namespace),
    to.name,
    joinLevels(from.namespace),
    from.name,
  );
}
