import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb, type Row } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { type RunOptions, runPipeline } from '../../src/pipeline/run.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable, parseTableName, type Table } from '../../src/table/table.ts';

const FILES = {
  'lake.yaml': 'version: 1\nname: t\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\n',
  'models/bronze/e.sql': 'SELECT * FROM source',
  'models/bronze/e.yml':
    'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
  'models/silver/e.sql':
    'SELECT _source_file AS f, CAST(ts AS TIMESTAMP) AS ts, CAST(v AS INTEGER) AS v FROM bronze.e',
  'models/silver/e.yml': 'version: 1\nmaterialisation: replace_partitions\npartition_by: [day(ts)]\n',
  'data/1.csv': 'ts,v\n2001-01-01 10:00:00,1\n2001-01-02 10:00:00,2\n',
};

export interface EventsProject {
  readonly root: string;
  readonly lake: Lake;
  write(path: string, text: string): Promise<void>;
  table(id: string): Promise<Table>;
  rows(sql: string, id?: string): Promise<Row[]>;
  /** Runs and tells `status rows` by model. */
  run(options?: RunOptions, lake?: Lake): Promise<Record<string, string>>;
}

/** A project in a folder of its own: CSV files with `ts` and `v`, bronze.e as they are, silver.e by day. */
export async function inEventsProject(
  files: Readonly<Record<string, string>>,
  use: (project: EventsProject) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lake-events-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  for (const [path, text] of Object.entries({ ...FILES, ...files })) await write(path, text);
  const lake = await openLake(await loadLake(root, {}), systemClock);
  const table = (id: string) => openTable(lake, parseTableName(id));
  try {
    await use({
      root,
      lake,
      write,
      table,
      rows: async (sql, id = 'silver.e') => {
        const engine = await openDuckDb({ tempDirectory: join(root, 'tmp'), threads: 1 });
        try {
          await createTableView(engine, '"t"', await planScan(await table(id)));
          return await engine.all(sql);
        } finally {
          await engine.close();
        }
      },
      run: async (options = {}, other = lake) =>
        Object.fromEntries(
          (await runPipeline(other, options)).models.map((m) => [m.model, `${m.status} ${m.rows}`]),
        ),
    });
  } finally {
    await lake.close();
    await rm(root, { recursive: true, force: true });
  }
}
