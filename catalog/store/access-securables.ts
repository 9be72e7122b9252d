import { joinLevels, splitLevels } from './namespaces.ts';
import type { Row, Sql } from './sql-database.ts';
import type { Levels, TableName } from './table-name.ts';

/** A table or view and where it stands, or stood when it was dropped. */
export interface Placed {
  readonly uuid: string;
  readonly namespace: Levels;
}

export async function uuidOf(sql: Sql, kind: 'table' | 'view', name: TableName): Promise<string | null> {
  const row = await sql.get(
    `SELECT uuid FROM ${kind === 'table' ? 'tables' : 'views'} WHERE namespace = ? AND name = ?`,
    joinLevels(name.namespace),
    name.name,
  );
  return row === undefined ? null : String(row['uuid']);
}

export async function namespaceExists(sql: Sql, levels: Levels): Promise<boolean> {
  return (
    (await sql.get('SELECT 1 AS one FROM namespaces WHERE levels = ?', joinLevels(levels))) !== undefined
  );
}

/** Every place of the uuid: of the standing table, and of drops that can be undone. */
export async function placesOfUuid(sql: Sql, uuid: string): Promise<readonly Placed[]> {
  const rows = await sql.all(
    'SELECT uuid, namespace FROM tables WHERE uuid = ?1 UNION SELECT uuid, namespace FROM dropped_tables WHERE uuid = ?1',
    uuid,
  );
  return rows.map(placedOf);
}

export async function droppedTable(sql: Sql, id: string): Promise<Placed | null> {
  const row = await sql.get('SELECT uuid, namespace FROM dropped_tables WHERE drop_id = ?', id);
  return row === undefined ? null : placedOf(row);
}

export async function tableOfLease(sql: Sql, id: string): Promise<string | null> {
  const row = await sql.get('SELECT table_uuid FROM leases WHERE lease_id = ?', id);
  return row === undefined ? null : String(row['table_uuid']);
}

/** The table of a relocation: its uuid, and the name that it had when the relocation began. */
export async function tableOfRelocation(
  sql: Sql,
  id: string,
): Promise<{ readonly uuid: string; readonly name: TableName } | null> {
  const row = await sql.get(
    'SELECT table_uuid, namespace, name FROM relocations WHERE relocation_id = ?',
    id,
  );
  if (row === undefined) return null;
  const name = { namespace: splitLevels(String(row['namespace'])), name: String(row['name']) };
  return { uuid: String(row['table_uuid']), name };
}

function placedOf(row: Row): Placed {
  return { uuid: String(row['uuid']), namespace: splitLevels(String(row['namespace'])) };
}
