import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import type { ObjectStore } from '../storage/object-store.ts';
import { installBucketFunctions } from './bucket-function.ts';
import { duckDbError, notOneQuery } from './duckdb-error.ts';
import { EngineFiles } from './engine-files.ts';
import type { FileCacheOptions } from './file-cache.ts';
import { loadHttpfs, type S3Prefix } from './httpfs.ts';
import { queryTables } from './query-tables.ts';
import { type Row, valueJson } from './row-values.ts';
import { quoteText } from './sql-text.ts';

export type { Row } from './row-values.ts';

export interface DuckDbOptions {
  /** As DuckDB writes it, `1GB`; what does not fit is spilled. Default 1GB. */
  readonly memoryLimit?: string;
  /** A local folder for what does not fit into memory; made when first needed. */
  readonly tempDirectory: string;
  readonly threads?: number;
  /** Reads the data files that do not lie on the local disk. */
  readonly objects?: ObjectStore;
  /** Where such files are kept between queries, and how many bytes of them. */
  readonly cache?: Omit<FileCacheOptions, 'objects'>;
  /** Where such files lie on S3, for DuckDB to read them itself where it can. */
  readonly s3?: readonly S3Prefix[];
}

/** A row as DuckDB has it: 64-bit integers bigint, decimals and timestamps as its own classes. */
export type RawRow = Readonly<Record<string, DuckDBValue>>;

/**
 * SQL on the embedded engine. Every call may run on a connection of its own: nothing is kept in TEMP tables or connection settings. Errors are LakeErrors: `usage`
 * with the position for SQL that does not parse or bind, `invalid-argument` for values that do not fit, `corrupt`, `unavailable`.
 */
export interface DuckDbEngine {
  /** Runs one or more statements for their effect. */
  run(sql: string): Promise<void>;
  /** The rows of a query, streamed, JSON-safe (see `valueJson`). */
  rows(sql: string): AsyncIterable<Row>;
  /** The rows of a query at once, JSON-safe. */
  all(sql: string): Promise<Row[]>;
  /** The rows of a query at once, as DuckDB's values, nothing converted. */
  raw(sql: string): Promise<RawRow[]>;
  /** The rows of a query, streamed in their order as DuckDB's values by column, nothing converted. */
  values(sql: string): AsyncIterable<readonly (readonly DuckDBValue[])[]>;
  /** The names of a query's columns with their DuckDB types, in order, without running it. */
  describe(sql: string): Promise<{ readonly name: string; readonly type: string }[]>;
  /** The tables that a query reads, as quoted names (`"gold"."fct"`); its own CTEs are left out. Errors: `usage` for what is not a query. */
  tableNames(sql: string): Promise<string[]>;
  /** A number that no other call on this engine gets, for names of scratch tables. */
  nextId(): number;
  /** The local paths of data files. */
  readonly files: EngineFiles;
  close(): Promise<void>;
}

class InstanceEngine implements DuckDbEngine {
  readonly #instance: DuckDBInstance;
  readonly #idle: DuckDBConnection[] = [];
  readonly files: EngineFiles;
  #lastId = 0;

  constructor(instance: DuckDBInstance, files: EngineFiles) {
    this.#instance = instance;
    this.files = files;
  }

  async #with<T>(use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = this.#idle.pop() ?? (await this.#instance.connect());
    try {
      return await use(connection);
    } catch (error) {
      throw duckDbError(error);
    } finally {
      this.#idle.push(connection);
    }
  }

  run(sql: string): Promise<void> {
    return this.#with(async (connection) => {
      await connection.run(sql);
    });
  }

  raw(sql: string): Promise<RawRow[]> {
    return this.#with(async (connection) => (await connection.run(sql)).getRowObjects());
  }

  all(sql: string): Promise<Row[]> {
    return this.#with(async (connection) => {
      const result = await connection.run(sql);
      const [names, types] = [result.deduplicatedColumnNames(), result.columnTypes()];
      return (await result.getRows()).map((row) =>
        toRow(
          names,
          row.map((value, i) => valueJson(value, types[i]!)),
        ),
      );
    });
  }

  async *rows(sql: string): AsyncIterable<Row> {
    const connection = await this.#instance.connect();
    try {
      const result = await connection.stream(sql);
      const [names, types] = [result.deduplicatedColumnNames(), result.columnTypes()];
      for await (const rows of result.yieldRows()) {
        for (const row of rows)
          yield toRow(
            names,
            row.map((value, i) => valueJson(value, types[i]!)),
          );
      }
    } catch (error) {
      throw duckDbError(error);
    } finally {
      connection.closeSync();
    }
  }

  async *values(sql: string): AsyncIterable<DuckDBValue[][]> {
    const connection = await this.#instance.connect();
    try {
      yield* (await connection.stream(sql)).yieldRows();
    } catch (error) {
      throw duckDbError(error);
    } finally {
      connection.closeSync();
    }
  }

  describe(sql: string): Promise<{ name: string; type: string }[]> {
    return this.#with(async (connection) => {
      const prepared = await connection.prepare(sql);
      const columns = Array.from({ length: prepared.columnCount }, (_, i) => ({
        name: prepared.columnName(i),
        type: prepared.columnType(i).toString(),
      }));
      prepared.destroySync();
      return columns;
    });
  }

  tableNames(sql: string): Promise<string[]> {
    return this.#with(async (connection) => {
      // Its errors carry the position, those of the serialisation do not.
      const { count } = await connection.extractStatements(sql);
      if (count !== 1) throw notOneQuery(sql, count);
      const rows = await connection.run(`SELECT json_serialize_sql(${quoteText(sql)})`);
      const serialized: unknown = JSON.parse(String((await rows.getRows())[0]?.[0]));
      if (isRecord(serialized) && serialized['error'] === true) {
        throw notOneQuery(sql, 1);
      }
      return queryTables(serialized);
    });
  }

  nextId(): number {
    return ++this.#lastId;
  }

  async close(): Promise<void> {
    for (const connection of this.#idle.splice(0)) connection.closeSync();
    this.#instance.closeSync();
    await this.files.close();
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const toRow = (names: readonly string[], values: Row[string][]): Row =>
  Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]));

/**
 * Opens an in-memory DuckDB that works in UTC, keeps to `memoryLimit` and spills to `tempDirectory`.
 * Errors: `unavailable` where the engine cannot start.
 */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDbEngine> {
  try {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: options.memoryLimit ?? '1GB',
      temp_directory: options.tempDirectory,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
    });
    const connection = await instance.connect();
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    installBucketFunctions(connection);
    const isRead = await loadHttpfs(connection, options.s3 ?? []);
    connection.closeSync();
    return new InstanceEngine(instance, new EngineFiles(options, isRead));
  } catch (error) {
    throw duckDbError(error);
  }
}
