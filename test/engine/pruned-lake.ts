import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { duckDbType, fieldIdsOption } from '../../src/engine/duckdb-types.ts';
import { dropTableView } from '../../src/engine/iceberg-view.ts';
import { queryNeeds, type TableNeed } from '../../src/engine/query-needs.ts';
import { createQueryViews } from '../../src/engine/query-views.ts';
import { quoteName, quoteText } from '../../src/engine/sql-text.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { currentSchema, newTableMetadata } from '../../src/iceberg/table-metadata.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { type Alteration, alterTable } from '../../src/table/alter.ts';
import { appendSelect } from '../../src/table/append.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import type { LakeContext } from '../../src/table/context.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { planScan, type ScanOptions, scanTarget } from '../../src/table/scan.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { openTable } from '../../src/table/table.ts';
import { DisturbedCatalog, TABLE } from '../table/test-lake.ts';

/** What a query came to. */
export interface Asked {
  readonly rows: readonly string[] | null;
  /** Rows of the table that the engine was given, deletes applied. */
  readonly given: number;
  readonly files: number;
  readonly need: TableNeed | undefined;
}

const ROW_GROUP = 2048;
const VIEW = '"t"."rows"';

/** One table `t.rows` in a store that DuckDB does not open itself, with data files of row groups of 2,048 rows. */
export class PrunedLake {
  readonly #folder: string;
  readonly #store: MemoryStore;
  readonly #engine: DuckDbEngine;
  readonly #context: LakeContext;
  #files = 0;

  private constructor(folder: string, store: MemoryStore, engine: DuckDbEngine, context: LakeContext) {
    this.#folder = folder;
    this.#store = store;
    this.#engine = engine;
    this.#context = context;
  }

  static async open(schema: Schema, spec: PartitionSpec): Promise<PrunedLake> {
    const folder = await mkdtemp(join(tmpdir(), 'lake-pruned-'));
    const store = new MemoryStore();
    const engine = await openDuckDb({
      tempDirectory: join(folder, 'spill'),
      threads: 1,
      objects: store,
      cache: { folder: join(folder, 'cache'), sizeBytes: 1e9, wholeFileBytes: 0 },
    });
    const uuid = systemClock.uuid();
    const metadata = newTableMetadata({
      schema,
      spec,
      location: `memory://${uuid}`,
      uuid,
      nowMs: systemClock.now(),
    });
    const context = { catalog: new DisturbedCatalog(metadata), objects: store, clock: systemClock };
    return new PrunedLake(folder, store, engine, context);
  }

  async schema(): Promise<Schema> {
    return currentSchema((await openTable(this.#context, TABLE)).metadata);
  }

  async snapshots(): Promise<bigint[]> {
    return (await openTable(this.#context, TABLE)).metadata.snapshots.map(
      (snapshot) => snapshot['snapshot-id'],
    );
  }

  async append(sql: string): Promise<void> {
    const schema = await this.schema();
    const { files } = await appendSelect(this.#context, this.#engine, TABLE, { sql });
    for (const file of files) {
      const [from, to] = [join(this.#folder, `${++this.#files}`), join(this.#folder, `${++this.#files}`)];
      await writeFile(from, await this.#store.get(file.filePath));
      await this.#engine.run(
        `COPY (FROM read_parquet(${quoteText(from)}, hive_partitioning = false)) TO ${quoteText(to)} ` +
          `(FORMAT parquet, ROW_GROUP_SIZE ${ROW_GROUP}, FIELD_IDS ${fieldIdsOption(schema.fields)})`,
      );
      await this.#store.delete([file.filePath]);
      await this.#put(file.filePath, to);
    }
  }

  async #put(location: string, path: string): Promise<number> {
    await this.#store.put(location, await readFile(path));
    return (await stat(path)).size;
  }

  /** Position deletes. */
  async delete(where: string): Promise<void> {
    await deleteWhere(this.#context, this.#engine, TABLE, { where });
  }

  /** An unpartitioned equality delete by one column: the rows so far go that have one of the values. */
  async deleteEqual(column: string, values: readonly string[]): Promise<void> {
    const schema = await this.schema();
    const field = schema.fields.find((one) => one.name === column)!;
    const path = join(this.#folder, `${++this.#files}`);
    const type = duckDbType(field.type);
    const rows = values.map((value) => `(CAST(${value} AS ${type}))`).join(', ');
    await this.#engine.run(
      `COPY (SELECT * FROM (VALUES ${rows}) AS v(${quoteName(column)})) TO ${quoteText(path)} (FORMAT parquet, FIELD_IDS ${fieldIdsOption([field])})`,
    );
    const filePath = `memory://deletes/${systemClock.uuid()}.parquet`;
    const fileSizeInBytes = await this.#put(filePath, path);
    const ids = newChange(systemClock);
    const table = await openTable(this.#context, TABLE);
    const added = [
      {
        specId: table.metadata['default-spec-id'],
        dataFile: {
          content: 'equality-deletes' as const,
          filePath,
          fileFormat: 'PARQUET',
          partition: [],
          recordCount: values.length,
          fileSizeInBytes,
          equalityIds: [field.id],
        },
      },
    ];
    await commitWithRetry(this.#context, TABLE, (base) =>
      stageSnapshot(base, ids, { operation: 'delete', added }),
    );
  }

  async alter(alteration: Alteration): Promise<void> {
    await alterTable(this.#context, TABLE, alteration);
  }

  /** The rows of a query in any order, as JSON; null where it fails. */
  async ask(query: string, point: ScanOptions, pruned: boolean): Promise<Asked> {
    // What is here as a whole is taken before a part is fetched.
    const kept = join(this.#folder, 'cache', 'objects');
    await rm(kept, { recursive: true, force: true });
    await mkdir(kept, { recursive: true });
    const table = await openTable(this.#context, TABLE);
    const { schema } = scanTarget(table.metadata, point);
    const [need] = pruned ? await queryNeeds(query, [{ identifier: TABLE, schema }]) : [];
    const scan = await planScan(table, need === undefined ? point : { ...point, filter: need.filter });
    await createQueryViews(this.#engine, query, [{ name: VIEW, scan, need }]);
    const [count] = await this.#engine.all(`SELECT count(*) AS n FROM ${VIEW}`);
    try {
      const rows = await this.#engine.all(query);
      const texts = rows.map((row) => JSON.stringify(row)).sort();
      return { rows: texts, given: Number(count?.['n']), files: scan.tasks.length, need };
    } catch (error) {
      if (pruned) throw new Error(query, { cause: error });
      return { rows: null, given: 0, files: 0, need };
    } finally {
      await dropTableView(this.#engine, VIEW);
    }
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await rm(this.#folder, { recursive: true });
  }
}
