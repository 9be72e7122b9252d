import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LakeError } from '../../src/errors.ts';
import type { TransactionSession } from './group-commit.ts';
import type { Row, SqlValue } from './sql-database.ts';
import { fromSqlite, isFull } from './sqlite-errors.ts';
import { requireStorable } from './stored-text.ts';

const MARK = 'one_of_several';

/** Prepared statements of one connection. */
export class SqliteStatements {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  all(sql: string, values: readonly SqlValue[]): Row[] {
    return this.guarded(() => this.#statement(sql, values).all(...values));
  }

  get(sql: string, values: readonly SqlValue[]): Row | undefined {
    return this.guarded(() => this.#statement(sql, values).get(...values));
  }

  run(sql: string, values: readonly SqlValue[]): number {
    return this.guarded(() => Number(this.#statement(sql, values).run(...values).changes));
  }

  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fromSqlite(error, this.#path);
    }
  }

  #statement(sql: string, values: readonly SqlValue[]): StatementSync {
    requireStorable(values);
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

/** The connection that writes. Every transaction takes the file's write lock at its start, whatever it is about to change. */
export class SqliteSession implements TransactionSession {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements: SqliteStatements;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
    this.#statements = new SqliteStatements(database, path);
  }

  async begin(): Promise<void> {
    this.#statements.guarded(() => {
      // One that an earlier failure left open.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#database.exec('BEGIN IMMEDIATE');
    });
  }

  async all(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    this.#requireTransaction();
    return this.#statements.all(sql, values);
  }

  async get(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    this.#requireTransaction();
    return this.#statements.get(sql, values);
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    this.#requireTransaction();
    return this.#statements.run(sql, values);
  }

  async mark(): Promise<void> {
    this.#requireTransaction();
    this.#statements.guarded(() => this.#database.exec(`SAVEPOINT ${MARK}`));
  }

  async undoToMark(): Promise<void> {
    this.#requireTransaction();
    this.#statements.guarded(() => this.#database.exec(`ROLLBACK TO ${MARK}`));
  }

  async commit(): Promise<void> {
    this.#requireTransaction();
    try {
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollbackQuietly();
      // Without room the commit record was not written whole: once the transaction has ended, it is certain that it was undone.
      const isUndone = isFull(error) && !this.#database.isTransaction;
      throw isUndone ? fromSqlite(error, this.#path) : this.#inDoubt(error);
    }
  }

  async rollback(): Promise<void> {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch (error) {
      throw this.#inDoubt(error);
    }
  }

  /** SQLite ends a transaction by itself when its disk is full or fails: what followed would be committed statement by statement. */
  #requireTransaction(): void {
    if (this.#database.isTransaction) return;
    throw new LakeError('unavailable', 'The catalog database undid a transaction', {
      where: this.#path,
      hint: 'Nothing was applied: look for room on its disk, and try again.',
    });
  }

  #inDoubt(cause: unknown): LakeError {
    return new LakeError('unknown-outcome', 'The catalog database failed while it committed', {
      where: this.#path,
      hint: 'The change may or may not have been applied: reload and look before anything is deleted.',
      cause,
    });
  }

  /** After a COMMIT that failed its outcome is what counts, whatever becomes of the rollback. */
  #rollbackQuietly(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // The connection is broken; the next statement on it says so.
    }
  }
}
