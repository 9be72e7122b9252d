import type { Clock } from '../../src/clock.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import type { Row, Sql, SqlDatabase, SqlValue } from '../store/sql-database.ts';
import { type BackupPart, type Cell, writeBackup } from './backup-file.ts';
import { BACKED_UP_TABLES, type BackedUpTable } from './backup-tables.ts';

/** What a backup holds. */
export interface BackupResult {
  /** Rows by table of the database. */
  readonly rows: Readonly<Record<string, number>>;
  /** Wall clock, ms; the moment is not before it. */
  readonly createdAtMs: number;
}

const PAGE = 500;

/**
 * Writes all that the catalog keeps, as it is at one moment, to a new file at `path`. Others go on to write meanwhile. Tables' own files are no part of
 * it: they lie in the object store. Errors: `already-exists`, `unavailable`.
 */
export async function backUp(database: SqlDatabase, path: string, clock: Clock): Promise<BackupResult> {
  const createdAtMs = clock.now();
  const about = { schema: SCHEMA_VERSION, createdAtMs, id: clock.uuid() };
  const rows = await database.snapshot((sql) => writeBackup(path, about, partsOf(sql)));
  return { rows, createdAtMs };
}

async function* partsOf(sql: Sql): AsyncIterable<BackupPart> {
  for (const table of BACKED_UP_TABLES) yield* rowsOf(sql, table);
}

async function* rowsOf(sql: Sql, { name, key }: BackedUpTable): AsyncIterable<BackupPart> {
  const order = `ORDER BY ${key.join(', ')} LIMIT ${PAGE}`;
  const after = `WHERE (${key.join(', ')}) > (${key.map(() => '?').join(', ')})`;
  let page = await sql.all(`SELECT * FROM ${name} ${order}`);
  const columns = Object.keys(page[0] ?? {});
  yield { kind: 'table', table: name, columns };
  while (page.length > 0) {
    for (const row of page) yield { kind: 'row', table: name, cells: columns.map((one) => cellOf(row, one)) };
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    page = await sql.all(`SELECT * FROM ${name} ${after} ${order}`, ...key.map((one) => cellOf(last, one)));
  }
}

function cellOf(row: Row, column: string): Cell & SqlValue {
  const value = row[column];
  if (value === null || typeof value === 'number' || typeof value === 'bigint') return value;
  return String(value);
}
