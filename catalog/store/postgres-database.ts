import pg from 'pg';
import { LakeError } from '../../src/errors.ts';
import { GroupCommit } from './group-commit.ts';
import { fromPostgres, isDisconnected } from './postgres-errors.ts';
import { type PostgresPlace, postgresPlace } from './postgres-place.ts';
import { locks, PostgresSession } from './postgres-session.ts';
import { runStatement } from './postgres-statements.ts';
import { ddlForPostgres, foreignSchema, SCHEMA_VERSION, stepsFrom } from './schema.ts';
import type { Row, Sql, SqlDatabase, SqlValue } from './sql-database.ts';

/** A statement that waits for another server's transaction gives up. */
const LOCK_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** The server ends the transaction of a replica that hangs in the middle of it, and gives its locks to the others. */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** For a server that is gone without a word; above all that it limits itself. */
const ANSWER_TIMEOUT_MS = 45_000;
const CONNECT_TIMEOUT_MS = 10_000;
const MIGRATION_TIMEOUT_MS = 600_000;
/** Who reads a snapshot may write a file in between; it holds nobody up. */
const SNAPSHOT_IDLE_MS = 600_000;
const READERS = 8;
/** While one waits for the server's disk, others fill the next groups. */
const WRITERS = 3;
const INT8 = 20;

/** A catalog in a schema of a PostgreSQL database, which several servers may have open. */
export class PostgresDatabase implements SqlDatabase {
  readonly where: string;
  readonly kind = 'postgres';
  readonly #pool: pg.Pool;
  readonly #sessions: readonly PostgresSession[];
  readonly #commits: GroupCommit;
  #isClosed = false;

  private constructor(place: PostgresPlace) {
    this.where = place.where;
    this.#pool = new pg.Pool({ ...place.config, max: READERS, idleTimeoutMillis: 60_000 });
    // A lost connection is told of by the statement that meets it, and replaced by the next one who needs one.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
    this.#sessions = Array.from({ length: WRITERS }, () => new PostgresSession(place));
    this.#commits = new GroupCommit(this.#sessions);
  }

  /**
   * Opens the catalog of a `postgres://` URL, and makes its schema and tables where they are not.
   * Errors: `usage` for the URL, `unavailable`, `unsupported`.
   */
  static async open(url: string): Promise<PostgresDatabase> {
    const place = postgresPlace(url);
    const config = { ...place.config, ...behaviour(place) };
    await migrated({ ...place, config });
    return new PostgresDatabase({ ...place, config });
  }

  async transaction<T>(work: (sql: Sql) => Promise<T>, only?: readonly string[]): Promise<T> {
    // A session would connect anew.
    if (this.#isClosed) {
      throw new LakeError('unavailable', 'The catalog database is closed', { where: this.where });
    }
    return this.#commits.transaction(work, only ?? null);
  }

  async all(sql: string, ...values: SqlValue[]): Promise<readonly Row[]> {
    return (await this.#read(sql, values)).rows;
  }

  async get(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.#read(sql, values)).rows[0];
  }

  run(sql: string, ...values: SqlValue[]): Promise<number> {
    return this.transaction((transaction) => transaction.run(sql, ...values));
  }

  async snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.#reader();
    const run = (sql: string, values: readonly SqlValue[]) =>
      runStatement(client, sql, values).catch((error) => {
        throw fromPostgres(error, this.where);
      });
    let isOver = false;
    try {
      await run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', []);
      await run(`SET LOCAL idle_in_transaction_session_timeout = ${SNAPSHOT_IDLE_MS}`, []);
      const result = await work({
        all: async (sql, ...values) => (await run(sql, values)).rows,
        get: async (sql, ...values) => (await run(sql, values)).rows[0],
        run: async (sql, ...values) => (await run(sql, values)).changed,
      });
      await run('ROLLBACK', []);
      isOver = true;
      return result;
    } finally {
      // One in the middle of a transaction goes, and the transaction with it.
      client.release(!isOver);
    }
  }

  connections() {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#commits.idle();
    for (const session of this.#sessions) await session.close();
    await this.#pool.end();
  }

  /** A read whose connection was lost is repeated on another one: the server may have ended all that lay idle. */
  async #read(sql: string, values: readonly SqlValue[]) {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#reader();
      try {
        const result = await runStatement(client, sql, values);
        client.release();
        return result;
      } catch (error) {
        client.release(isDisconnected(error));
        if (!isDisconnected(error) || attempt > READERS) throw fromPostgres(error, this.where);
      }
    }
  }

  async #reader(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw fromPostgres(error, this.where);
    }
  }
}

/** How each connection behaves, whatever the server's defaults are. */
function behaviour({ schema, options }: PostgresPlace): pg.ClientConfig {
  const settings = {
    search_path: schema,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    // What was answered is on disk.
    synchronous_commit: 'on',
  };
  const own = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  return {
    // The last one counts: an operator may set other limits in the URL.
    options: [...own, options].join(' ').trim(),
    application_name: 'lakewarden',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser },
  };
}

/** 64-bit integers as numbers where they are exact. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === INT8 && format !== 'binary') return (text: string) => exactly(BigInt(text));
  return pg.types.getTypeParser(oid, format);
}

const exactly = (value: bigint): number | bigint =>
  BigInt.asIntN(54, value) === value ? Number(value) : value;

/** Brings the schema up to date; of servers that start at once, one does it. */
async function migrated({ config, schema, where }: PostgresPlace): Promise<void> {
  const client = new pg.Client({ ...config, query_timeout: MIGRATION_TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await requireUtf8(client, where);
    if ((await versionOf(client, schema)) === SCHEMA_VERSION) return;
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${MIGRATION_TIMEOUT_MS};
      SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT_MS}; ${locks(schema, null)}`);
    await migrate(client, schema, where);
    await client.query('COMMIT');
  } catch (error) {
    throw fromPostgres(error, where);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function requireUtf8(client: pg.Client, where: string): Promise<void> {
  const { rows } = await client.query('SHOW server_encoding');
  if (rows[0]?.['server_encoding'] === 'UTF8') return;
  throw new LakeError(
    'unsupported',
    `The catalog database has the encoding ${rows[0]?.['server_encoding']}`,
    {
      where,
      hint: 'Names and locations are Unicode: create a database with ENCODING utf8. Nothing was changed.',
    },
  );
}

/** 0 where there are no tables yet. */
async function versionOf(client: pg.Client, schema: string): Promise<number> {
  const found = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [
    `${schema}.schema_version`,
  ]);
  if (found.rows[0]?.['there'] !== true) return 0;
  const { rows } = await client.query(`SELECT version FROM ${schema}.schema_version`);
  return Number(rows[0]?.['version'] ?? 0);
}

/** Inside of a transaction that is alone. */
async function migrate(client: pg.Client, schema: string, where: string): Promise<void> {
  const there = await client.query('SELECT to_regnamespace($1) IS NOT NULL AS there', [schema]);
  // Even with IF NOT EXISTS it needs the right to create schemas.
  if (there.rows[0]?.['there'] !== true) await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.schema_version (version BIGINT NOT NULL)`);
  const version = await versionOf(client, schema);
  const steps = stepsFrom(version);
  if (steps === null) throw foreignSchema(where, version);
  for (const { ddl } of steps) await client.query(ddlForPostgres(ddl));
  await client.query(
    `DELETE FROM ${schema}.schema_version; INSERT INTO ${schema}.schema_version VALUES (${SCHEMA_VERSION})`,
  );
}
