import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../src/clock.ts';
import { GroupCommit } from './group-commit.ts';
import { foreignSchema, SCHEMA_VERSION, stepsFrom } from './schema.ts';
import type { Row, Sql, SqlDatabase, SqlValue } from './sql-database.ts';
import { fromSqlite, isBusy } from './sqlite-errors.ts';
import { SqliteSession, SqliteStatements } from './sqlite-session.ts';

const BUSY_TIMEOUT_MS = 15_000;
const OPEN_ATTEMPTS = 100;

/**
 * A SQLite file shared by processes, in WAL mode. One connection writes, so that no statement of another request comes between those of
 * a transaction; another one reads what is committed, and cannot write.
 */
export class SqliteDatabase implements SqlDatabase {
  readonly where: string;
  readonly kind = 'sqlite';
  readonly #writer: DatabaseSync;
  readonly #reader: DatabaseSync;
  readonly #reads: SqliteStatements;
  readonly #commits: GroupCommit;

  private constructor(writer: DatabaseSync, reader: DatabaseSync, path: string) {
    this.where = path;
    this.#writer = writer;
    this.#reader = reader;
    this.#reads = new SqliteStatements(reader, path);
    this.#commits = new GroupCommit([new SqliteSession(writer, path)]);
  }

  /** Opens or creates the file. Errors: `unavailable`, `corrupt` for a file that is no SQLite database. */
  static async open(path: string, clock: Clock): Promise<SqliteDatabase> {
    for (let attempt = 1; ; attempt++) {
      try {
        const writer = openFile(path);
        return new SqliteDatabase(writer, openReader(path, writer), path);
      } catch (error) {
        // The switch to WAL does not wait for the busy time-out: another process is creating the file at this moment.
        if (!isBusy(error) || attempt === OPEN_ATTEMPTS) throw fromSqlite(error, path);
        await clock.sleep(20);
      }
    }
  }

  transaction<T>(work: (sql: Sql) => Promise<T>, only?: readonly string[]): Promise<T> {
    return this.#commits.transaction(work, only ?? null);
  }

  async all(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    return this.#reads.all(sql, values);
  }

  async get(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return this.#reads.get(sql, values);
  }

  run(sql: string, ...values: SqlValue[]): Promise<number> {
    return this.transaction((transaction) => transaction.run(sql, ...values));
  }

  async snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = this.#reads.guarded(
      () => new DatabaseSync(this.where, { timeout: BUSY_TIMEOUT_MS, readOnly: true }),
    );
    try {
      // The moment is that of the first read.
      const statements = new SqliteStatements(connection, this.where);
      statements.run('BEGIN', []);
      return await work({
        all: async (sql, ...values) => statements.all(sql, values),
        get: async (sql, ...values) => statements.get(sql, values),
        run: async (sql, ...values) => statements.run(sql, values),
      });
    } finally {
      connection.close();
    }
  }

  async close(): Promise<void> {
    await this.#commits.idle();
    // The last one to close takes the log into the file, which a reader cannot.
    if (this.#reader.isOpen) this.#reader.close();
    if (this.#writer.isOpen) this.#writer.close();
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

function openReader(path: string, writer: DatabaseSync): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  } catch (error) {
    writer.close();
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** Under the write lock, as another process may be about to do the same. */
function migrate(database: DatabaseSync, path: string): void {
  database.exec('BEGIN IMMEDIATE');
  const version = versionOf(database);
  const steps = stepsFrom(version);
  if (steps === null) throw foreignSchema(path, version);
  for (const { to, ddl } of steps) database.exec(`${ddl} PRAGMA user_version = ${to};`);
  database.exec('COMMIT');
}
