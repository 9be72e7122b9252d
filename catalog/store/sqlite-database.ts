import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { MIGRATIONS, SCHEMA, SCHEMA_VERSION } from './sqlite-schema.ts';

const BUSY_TIMEOUT_MS = 15_000;
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const OPEN_ATTEMPTS = 100;

export type Row = Readonly<Record<string, unknown>>;

/** A SQLite file shared by processes: WAL, and every transaction takes the write lock at its start. */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /** Opens or creates the file. Errors: `unavailable`, `corrupt` for a file that is no SQLite database. */
  static async open(path: string, clock: Clock): Promise<SqliteDatabase> {
    for (let attempt = 1; ; attempt++) {
      try {
        return new SqliteDatabase(openFile(path), path);
      } catch (error) {
        // The switch to WAL does not wait for the busy time-out: another process is creating the file at this moment.
        if (resultCode(error) !== SQLITE_BUSY || attempt === OPEN_ATTEMPTS) throw fromSqlite(error, path);
        await clock.sleep(20);
      }
    }
  }

  /** Runs `work` as one transaction; whatever it throws rolls back. */
  transaction<T>(work: () => T): T {
    // One that an earlier failure left open.
    if (this.#database.isTransaction) this.#run('ROLLBACK');
    this.#run('BEGIN IMMEDIATE');
    let result: T;
    try {
      result = work();
    } catch (error) {
      this.#rollback(error);
      throw fromSqlite(error, this.#path);
    }
    try {
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollbackQuietly();
      // Without room the commit record was not written whole: once the transaction has ended, it is certain that it was undone.
      const isUndone = resultCode(error) === SQLITE_FULL && !this.#database.isTransaction;
      throw isUndone ? fromSqlite(error, this.#path) : this.#inDoubt(error);
    }
    return result;
  }

  #inDoubt(cause: unknown): LakeError {
    return new LakeError('unknown-outcome', 'The catalog database failed while it committed', {
      where: this.#path,
      hint: 'The change may or may not have been applied: reload and look before anything is deleted.',
      cause,
    });
  }

  all(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#statement(sql).all(...parameters));
  }

  get(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#statement(sql).get(...parameters));
  }

  /** Rows changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return this.#guarded(() => Number(this.#statement(sql).run(...parameters).changes));
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #run(sql: string): void {
    this.#guarded(() => this.#database.exec(sql));
  }

  /** Nothing is known to be undone if this fails too. */
  #rollback(cause: unknown): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      throw this.#inDoubt(cause);
    }
  }

  /** After a COMMIT that failed its outcome is what counts, whatever becomes of the rollback. */
  #rollbackQuietly(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // The connection is broken; the next statement on it says so.
    }
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fromSqlite(error, this.#path);
    }
  }
}

function openFile(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    const mode = database.prepare('PRAGMA journal_mode').get();
    if (mode?.['journal_mode'] !== 'wal') database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    if (versionOf(database) !== SCHEMA_VERSION) migrate(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** Under the write lock, as another process may be about to do the same. */
function migrate(database: DatabaseSync, path: string): void {
  database.exec('BEGIN IMMEDIATE');
  for (let version = versionOf(database); version !== SCHEMA_VERSION; version = versionOf(database)) {
    const step = version === 0 ? SCHEMA : MIGRATIONS.get(version);
    if (step === undefined) throw foreignSchema(path, version);
    database.exec(step);
  }
  database.exec('COMMIT');
}

function foreignSchema(path: string, version: number): LakeError {
  return new LakeError(
    'unsupported',
    `The catalog database has schema version ${version}, this program knows up to ${SCHEMA_VERSION}`,
    {
      where: path,
      hint: 'Use the version of Lakewarden that wrote it, or a newer one. The file was left as it is.',
    },
  );
}

/** SQLite's primary result code, or -1 for errors that are none of SQLite's. */
function resultCode(error: unknown): number {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : -1;
}

function fromSqlite(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === -1 || !(error instanceof Error)) return error;
  if (code === 11 || code === 26) {
    return new LakeError('corrupt', `The catalog database is damaged or no SQLite file: ${error.message}`, {
      where: path,
      hint: 'Restore it from a backup. It was left as it is.',
      cause: error,
    });
  }
  const hint =
    code === SQLITE_BUSY
      ? 'Another process holds the database for long: try again. Nothing was applied.'
      : code === SQLITE_FULL
        ? 'Make room on its disk and try again. Nothing was applied.'
        : 'Check the disk and the rights on the file. Nothing was applied.';
  return new LakeError('unavailable', `The catalog database failed: ${error.message}`, {
    where: path,
    hint,
    cause: error,
  });
}
