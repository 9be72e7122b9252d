import { LakeError } from '../../src/errors.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import type { Sql, SqlDatabase } from '../store/sql-database.ts';
import { type BackupPart, type Cell, readBackup, readBackupHeader } from './backup-file.ts';
import { BACKED_UP_TABLES, NOT_BACKED_UP } from './backup-tables.ts';

export interface RestoreResult {
  /** Rows by table of the database. */
  readonly rows: Readonly<Record<string, number>>;
  /** When the backup was made, wall clock ms. */
  readonly createdAtMs: number;
  /** Moves that were copying when the backup was made, by id; see `endMoves`. */
  readonly endedMoves: readonly string[];
}

/** Values of one INSERT; both databases take more. */
const VALUES = 500;

/**
 * Brings a backup into an empty database of either kind. The file is read to its end first, and again into one transaction: whatever goes wrong, a
 * kill included, the database is as empty as before. Errors: `not-found`, `corrupt`, `unsupported` (file), `not-empty` (database), `unavailable`,
 * `unknown-outcome`.
 */
export async function restoreBackup(database: SqlDatabase, path: string): Promise<RestoreResult> {
  const { schema, 'created-at-ms': createdAtMs } = await readBackupHeader(path);
  if (schema > SCHEMA_VERSION) throw tooNew(path, schema);
  for await (const part of readBackup(path)) if (part.kind === 'table') requireKnown(part.table, path);
  const { rows, endedMoves } = await database.transaction(async (sql) => {
    await requireEmpty(sql, database.where);
    const written = await insertAll(sql, path);
    await checkCounts(sql, written, database.where);
    await setSequences(sql, database.kind);
    return { rows: written, endedMoves: await endMoves(sql) };
  });
  return { rows, createdAtMs, endedMoves };
}

function requireKnown(table: string, path: string): void {
  if (BACKED_UP_TABLES.some(({ name }) => name === table)) return;
  throw new LakeError('corrupt', `The file is no backup of a catalog: it has a table "${table}"`, {
    where: path,
    hint: 'Nothing was restored: name a file that `lake catalog backup` wrote.',
  });
}

function tooNew(path: string, schema: number): LakeError {
  return new LakeError(
    'unsupported',
    `The backup has schema version ${schema}, this program knows up to ${SCHEMA_VERSION}`,
    {
      where: path,
      hint: 'Nothing was restored: use the version of Lakewarden that wrote it, or a newer one.',
    },
  );
}

async function requireEmpty(sql: Sql, where: string): Promise<void> {
  for (const name of [...BACKED_UP_TABLES.map((table) => table.name), ...NOT_BACKED_UP]) {
    if ((await sql.get(`SELECT 1 AS found FROM ${name} LIMIT 1`)) === undefined) continue;
    throw new LakeError('not-empty', `The catalog to restore into is not empty: there are ${name}`, {
      where,
      hint: 'Nothing was restored: name a new file or database with --into, or move the old one away.',
    });
  }
}

async function insertAll(sql: Sql, path: string): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  let inserts: Inserts | null = null;
  for await (const part of readBackup(path)) {
    if (part.kind === 'table') {
      await inserts?.flush();
      inserts = new Inserts(sql, part);
      rows[part.table] = 0;
      continue;
    }
    await inserts?.add(part.cells);
    rows[part.table] = (rows[part.table] ?? 0) + 1;
  }
  await inserts?.flush();
  return rows;
}

/** Rows of one table, several an INSERT. */
class Inserts {
  readonly #sql: Sql;
  readonly #into: string;
  readonly #width: number;
  #cells: Cell[] = [];

  constructor(sql: Sql, { table, columns }: Extract<BackupPart, { kind: 'table' }>) {
    this.#sql = sql;
    this.#width = columns.length;
    this.#into = `INSERT INTO ${table} (${columns.map(nameOf).join(', ')}) VALUES`;
  }

  async add(cells: readonly Cell[]): Promise<void> {
    this.#cells.push(...cells);
    if (this.#cells.length + this.#width > VALUES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#cells.length === 0) return;
    const row = `(${Array.from({ length: this.#width }, () => '?').join(', ')})`;
    const marks = Array.from({ length: this.#cells.length / this.#width }, () => row).join(', ');
    await this.#sql.run(`${this.#into} ${marks}`, ...this.#cells);
    this.#cells = [];
  }
}

/** Names come from a file: those that are no plain names come into no statement. */
function nameOf(column: string): string {
  if (/^[a-z_]+$/.test(column)) return column;
  throw new LakeError('corrupt', `The file is no backup of a catalog: it has a column "${column}"`, {
    hint: 'Nothing was restored.',
  });
}

async function checkCounts(
  sql: Sql,
  written: Readonly<Record<string, number>>,
  where: string,
): Promise<void> {
  for (const [table, rows] of Object.entries(written)) {
    const counted = Number((await sql.get(`SELECT COUNT(*) AS n FROM ${table}`))?.['n']);
    if (counted === rows) continue;
    throw new LakeError('internal', `${table} has ${counted} rows after ${rows} were restored`, {
      where,
      hint: 'Nothing was restored.',
    });
  }
}

/** PostgreSQL counts up what it made itself, SQLite what is there. */
async function setSequences(sql: Sql, kind: SqlDatabase['kind']): Promise<void> {
  if (kind === 'sqlite') return;
  for (const { name, key } of BACKED_UP_TABLES) {
    if (key[0] !== 'seq') continue;
    await sql.get(
      `SELECT setval(pg_get_serial_sequence('${name}', 'seq'), COALESCE((SELECT MAX(seq) FROM ${name}), 0) + 1, false) AS next`,
    );
  }
}

/**
 * A move that was copying may have been finished since, by commits that the backup does not have: then the table's newest metadata names its copies. To
 * go on with it, or to roll it back, which deletes them, would lose rows. So its journal is closed for good; copies that nothing names are for
 * `lake orphans`, which proves that.
 */
async function endMoves(sql: Sql): Promise<readonly string[]> {
  const copying = await sql.all(
    "SELECT relocation_id FROM relocations WHERE state = 'copying' ORDER BY relocation_id",
  );
  await sql.run("UPDATE relocations SET state = 'cleaned' WHERE state = 'copying'");
  return copying.map((row) => String(row['relocation_id']));
}
