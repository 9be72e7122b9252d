import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { type LakeConfig, loadLake } from '../../src/config.ts';
import type { Row } from '../../src/engine/row-values.ts';
import { type RunOptions, type RunReport, runPipeline } from '../../src/pipeline/run.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { lakeEnvironment, lakeFolder } from '../../stack/catalog.ts';
import { BothEngines } from './both-engines.ts';
import { testedStack } from './stack.ts';

/** Models of its own in the stack's lake, each SQL built by both engines: `NAME_d` by duckdb, `NAME_t` by trino. Close it. */
export class TwinModels {
  readonly #root: string;
  readonly #config: LakeConfig;
  readonly #tables: readonly string[];
  readonly lake: Lake;
  readonly both: BothEngines;

  private constructor(
    root: string,
    config: LakeConfig,
    lake: Lake,
    both: BothEngines,
    tables: readonly string[],
  ) {
    this.#root = root;
    this.#config = config;
    this.#tables = tables;
    this.lake = lake;
    this.both = both;
  }

  /**
   * @param twins yml by `layer/name`, with its SQL; `TWIN` in it is the letter of the engine
   * @param bronze the name of the bronze model, which lands data/*.csv
   */
  static async open(
    namespace: string,
    bronze: string,
    twins: Readonly<Record<string, { readonly sql: string; readonly yml: string }>>,
  ): Promise<TwinModels> {
    const root = await mkdtemp(join(tmpdir(), 'lake-twins-'));
    const stack = testedStack();
    const config = {
      ...(await loadLake(lakeFolder(stack), lakeEnvironment(stack))),
      root,
      modelsFolder: join(root, 'models'),
    };
    const tables = [`bronze.${bronze}`];
    const lake = await openLake(config, systemClock);
    const files: Record<string, string> = {
      [`models/bronze/${bronze}.sql`]:
        'SELECT CAST(ts AS TIMESTAMP) AS ts, CAST(id AS BIGINT) AS id, CAST(v AS DOUBLE) AS v FROM source',
      [`models/bronze/${bronze}.yml`]:
        'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
    };
    for (const [path, { sql, yml }] of Object.entries(twins)) {
      for (const [twin, engine] of [
        ['d', 'duckdb'],
        ['t', 'trino'],
      ] as const) {
        files[`models/${path}_${twin}.sql`] = sql.replaceAll('TWIN', twin);
        files[`models/${path}_${twin}.yml`] = `version: 1\nengine: ${engine}\n${yml}`;
        tables.push(`${path.replace('/', '.')}_${twin}`);
      }
    }
    const made = new TwinModels(root, config, lake, await BothEngines.open(namespace), tables);
    for (const [path, text] of Object.entries(files)) await made.write(path, text);
    await made.#clear();
    return made;
  }

  async close(): Promise<void> {
    await this.#clear();
    await this.both.close();
    await this.lake.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.#root, path)), { recursive: true });
    await writeFile(join(this.#root, path), text);
  }

  /** A run of these models; `server` in the place of the stack's Trino. */
  async run(options: RunOptions = {}, server?: string): Promise<RunReport> {
    const { trino } = this.#config;
    if (server === undefined || trino === undefined) return runPipeline(this.lake, options);
    return runPipeline({ ...this.lake, config: { ...this.#config, trino: { ...trino, server } } }, options);
  }

  /** Rows of one of the tables, in an order of their own. */
  rows(table: string): Promise<Row[]> {
    return this.both.lakeRows(`SELECT * FROM ${table} ORDER BY ALL`);
  }

  /** What waits in the staging namespace for these models. */
  async staged(): Promise<string[]> {
    const found = await this.lake.catalog.listTables(['lake_staging']).catch(() => []);
    const own = this.#tables.map((table) => `${table.replace('.', '__')}__`);
    return found.map(({ name }) => name).filter((name) => own.some((start) => name.startsWith(start)));
  }

  async #clear(): Promise<void> {
    for (const table of this.#tables) await this.both.run(`DROP TABLE IF EXISTS ${table}`);
  }
}
