import { createHash } from 'node:crypto';
import pg from 'pg';
import { LakeError } from '../../src/errors.ts';
import type { TransactionSession } from './group-commit.ts';
import { fromPostgres, inDoubt, isDisconnected, isRepeatable, isUndone } from './postgres-errors.ts';
import type { PostgresPlace } from './postgres-place.ts';
import { runStatement } from './postgres-statements.ts';
import type { Row, SqlValue } from './sql-database.ts';

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE';
const BEGIN_ATTEMPTS = 3;

/**
 * The connection that writes. What SQLite's write lock does for the processes of a machine, two kinds of advisory locks do for all
 * servers of a catalog, until the transaction ends:
 *
 * - the catalog's lock. A transaction that may change anything holds it alone. One that names what it changes shares it, so that none of
 *   the first kind runs beside it;
 * - one lock for each name, held by one transaction at a time, which shares the catalog's lock. All are taken at the start, in the same
 *   order everywhere: two transactions never wait for each other. Two names of the same number only wait for each other in vain.
 *
 * Locks are held before the first statement reads, and given back after the commit can be seen (READ COMMITTED: each statement sees all
 * that was committed before it). So of all that a transaction decides by, nothing changes until it is done:
 * a pointer under its name; the note of an idempotency key under the key; a lease's end under the lease; reports of a table under its uuid;
 * and whatever else there is (the one name of a uuid, names shared by tables and views, whether a namespace is empty, living leases, states
 * of relocations, purges and drops, places, fences of a swap, the maintenance switch) under the catalog's lock, held alone.
 */
export class PostgresSession implements TransactionSession {
  readonly #place: PostgresPlace;
  #client: pg.Client | null = null;
  #isLost = false;
  #isMarked = false;

  constructor(place: PostgresPlace) {
    this.#place = place;
  }

  /** Connects if it is not, or not any more. Errors: `unavailable`. */
  async connect(): Promise<void> {
    if (this.#client !== null && !this.#isLost) return;
    await this.#cut();
    const client = new pg.Client({ ...this.#place.config, pipeline: true });
    this.#isLost = false;
    client.on('error', () => {
      if (this.#client === client) this.#isLost = true;
    });
    try {
      await client.connect();
      this.#client = client;
    } catch (error) {
      throw fromPostgres(error, this.#place.where);
    }
  }

  async begin(only: readonly string[] | null): Promise<void> {
    const isFresh = this.#client === null || this.#isLost;
    for (let attempt = 1; ; attempt++) {
      await this.connect();
      try {
        this.#isMarked = false;
        await this.#connected().query(`${BEGIN}; ${locks(this.#place.schema, only)}`);
        return;
      } catch (error) {
        await this.rollback();
        // Nothing was done yet. An idle connection may have been lost unnoticed; a new one that is lost too tells of a server that is down.
        const isWorthwhile = isRepeatable(error) || (isDisconnected(error) && !isFresh);
        if (!isWorthwhile || attempt === BEGIN_ATTEMPTS) throw fromPostgres(error, this.#place.where);
      }
    }
  }

  async all(sql: string, ...values: SqlValue[]): Promise<readonly Row[]> {
    return (await this.#run(sql, values)).rows;
  }

  async get(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.#run(sql, values)).rows[0];
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    return (await this.#run(sql, values)).changed;
  }

  /** Nobody waits for the answer: the statements that follow are sent behind it, and fail if it fails. */
  async mark(): Promise<void> {
    const client = this.#connected();
    client.query(this.#isMarked ? 'RELEASE SAVEPOINT one; SAVEPOINT one' : 'SAVEPOINT one').catch(() => {
      if (this.#client === client) this.#isLost = true;
    });
    this.#isMarked = true;
  }

  async undoToMark(): Promise<void> {
    const client = this.#connected();
    await this.#guarded(() => client.query('ROLLBACK TO SAVEPOINT one'));
  }

  async commit(): Promise<void> {
    // What is known to be lost before COMMIT is sent is not committed.
    const client = this.#connected();
    let command: string;
    try {
      command = (await client.query('COMMIT')).command;
    } catch (error) {
      if (isUndone(error)) throw fromPostgres(error, this.#place.where);
      await this.#cut();
      throw inDoubt(error, this.#place.where);
    }
    // After a statement that failed, the server answers COMMIT by a rollback.
    if (command !== 'COMMIT') throw this.#gone('it undid the transaction');
  }

  /** COMMIT was not sent: whatever becomes of this, the transaction is undone. */
  async rollback(): Promise<void> {
    if (this.#client === null || this.#isLost) return;
    try {
      await this.#client.query('ROLLBACK');
    } catch {
      await this.#cut();
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  /** Nobody waits for a connection that does not answer. */
  async #cut(): Promise<void> {
    this.#client?.connection.stream.destroy();
    await this.close();
  }

  async #run(sql: string, values: readonly SqlValue[]) {
    const client = this.#connected();
    return this.#guarded(() => runStatement(client, sql, values));
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDisconnected(error)) this.#isLost = true;
      throw fromPostgres(error, this.#place.where);
    }
  }

  #connected(): pg.Client {
    if (this.#client !== null && !this.#isLost) return this.#client;
    throw this.#gone('the connection is lost');
  }

  #gone(why: string): LakeError {
    return new LakeError('unavailable', `The catalog database failed: ${why}`, {
      where: this.#place.where,
      hint: 'Nothing was applied: try again.',
    });
  }
}

/** Locks of a transaction beyond which it takes the catalog's alone: the server's table of locks is shared by all, and small. */
const MOST_LOCKS = 500;

/** Statements that wait for the locks, in the one order. */
export function locks(schema: string, only: readonly string[] | null): string {
  const catalog = digest(`lakewarden ${schema}`).readBigInt64BE();
  if (only === null || only.length > MOST_LOCKS) return `SELECT pg_advisory_xact_lock(${catalog})`;
  const family = digest(schema).readInt32BE();
  const names = [...new Set(only.map((name) => digest(name).readInt32BE()))].sort((a, b) => a - b);
  const each = names.map((name) => `SELECT pg_advisory_xact_lock(${family}, ${name})`);
  return [`SELECT pg_advisory_xact_lock_shared(${catalog})`, ...each].join('; ');
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
