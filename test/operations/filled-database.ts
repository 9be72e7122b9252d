import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BACKED_UP_TABLES, NOT_BACKED_UP } from '../../catalog/operations/backup-tables.ts';
import { openSqlDatabase } from '../../catalog/store/open-store.ts';
import type { Row, Sql, SqlDatabase, SqlValue } from '../../catalog/store/sql-database.ts';
import { systemClock } from '../../src/clock.ts';

export const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'lake-operations-'));

/** More than a page of a backup. */
const MANY = 1203;

/** What a column holds that is not said below: texts that JSON, SQL and sorting could get wrong. */
const ODD_TEXT = 'naïve "quoted" \\ line\nend \u{1f9ca} \u001f ; -- "snapshot-id":123456789012345678';
const LARGE = Number.MAX_SAFE_INTEGER;

interface Column {
  readonly name: string;
  readonly type: string;
}

/** Rows that refer to each other have to name what is there. */
const VALUES: Readonly<Record<string, Readonly<Record<string, SqlValue>>>> = {
  tables: { namespace: 'namespaces-levels-0' },
  views: { namespace: 'namespaces-levels-0' },
  purge_files: { drop_id: 'dropped_tables-drop_id-0' },
  moves: { relocation_id: 'r-copying' },
  ledger: { relocation_id: 'r-copying' },
  principal_secrets: { principal_id: 'principals-principal_id-0' },
  role_members: { role_id: 'roles-role_id-0' },
  access_grants: { namespace: 'namespaces-levels-0' },
  relocations: { relocation_id: 'r-copying', state: 'copying' },
};

/** A SQLite database with rows in every table, also those that are not backed up, and many moves. */
export async function filledDatabase(path: string, moves = MANY): Promise<SqlDatabase> {
  const database = await openSqlDatabase(path, systemClock);
  await database.transaction((sql) => fill(sql, moves));
  return database;
}

async function fill(sql: Sql, moves: number): Promise<void> {
  for (const name of [...BACKED_UP_TABLES.map((table) => table.name), ...NOT_BACKED_UP]) {
    const info = await sql.all('SELECT name, type FROM pragma_table_info(?)', name);
    const columns = info.map((row) => ({ name: String(row['name']), type: String(row['type']) }));
    for (let at = 0; at < (name === 'moves' ? moves : 2); at++) await insert(sql, name, columns, at);
  }
}

async function insert(sql: Sql, table: string, columns: readonly Column[], at: number): Promise<void> {
  const key = BACKED_UP_TABLES.find(({ name }) => name === table)?.key ?? [];
  const values = columns.map(({ name, type }, place) => {
    const given = VALUES[table]?.[name];
    const isKey = key.includes(name) || /uuid|location|_id$|^name$/.test(name);
    if (given !== undefined && (at === 0 || table !== 'relocations')) return given;
    if (type !== 'TEXT') return name === 'seq' ? at * 3 + 1 : at === 0 ? LARGE : place;
    if (isKey) return `${table}-${name}-${at}`;
    return at === 0 ? ODD_TEXT : `${place}`;
  });
  const marks = values.map(() => '?').join(', ');
  await sql.run(
    `INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')}) VALUES (${marks})`,
    ...values,
  );
}

/** All rows of the tables that are backed up, in the order of their keys. */
export async function rowsOf(database: SqlDatabase): Promise<Record<string, Row[]>> {
  const tables: Record<string, Row[]> = {};
  for (const { name, key } of BACKED_UP_TABLES) {
    const rows = await database.all(`SELECT * FROM ${name} ORDER BY ${key.join(', ')}`);
    tables[name] = rows.map((row) => ({ ...row }));
  }
  return tables;
}
