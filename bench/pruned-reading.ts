/**
 * `lake sql`'s way from S3 without DuckDB's httpfs: what is fetched for a query and how long it takes with an empty cache, beside fetching all files of the table as it would be without
 * pruning; the flights on a server that the stack tests start. Then the views of a table of 10,000 small local files beside asking DuckDB for every footer:
 *
 *     node bench/pruned-reading.ts [ROUNDS] [SERVER] [FILES]
 */
import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEngine, openQueryEngine } from '../src/cli/query-engine.ts';
import { systemClock } from '../src/clock.ts';
import { loadLake } from '../src/config.ts';
import { type DuckDbEngine, openDuckDb } from '../src/engine/duckdb.ts';
import { fileShapes } from '../src/engine/file-shape.ts';
import { createTableView } from '../src/engine/iceberg-view.ts';
import { quoteText } from '../src/engine/sql-text.ts';
import type { DataFile } from '../src/iceberg/manifest.ts';
import { runPipeline } from '../src/pipeline/run.ts';
import { type Lake, openLake } from '../src/project/open-lake.ts';
import { planScan } from '../src/table/scan.ts';
import { openTable } from '../src/table/table.ts';
import { lake as command } from '../test/cli/recorded-terminal.ts';
import { startFaultyProxy } from '../test/stack/faulty-proxy.ts';
import { startS3Server } from '../test/stack/s3-server.ts';
import { median, printFigures, rounded } from './figures.ts';

const ONE_DAY = "flight_time >= TIMESTAMP '2001-03-05' AND flight_time < TIMESTAMP '2001-03-06'";
const QUERIES: readonly (readonly [string, string, string])[] = [
  [
    'one day',
    'silver',
    `SELECT count(*) AS n, sum(delay_minutes) AS late FROM silver.flights WHERE ${ONE_DAY}`,
  ],
  ['a sum over all days', 'silver', 'SELECT sum(distance_miles) AS miles FROM silver.flights'],
  [
    'few rows of one file',
    'bronze',
    "SELECT count(*) AS n FROM bronze.flights WHERE date < TIMESTAMP '2001-01-05'",
  ],
];
const TABLES: Readonly<Record<string, string>> = { silver: 'flights', bronze: 'flights' };

interface Asked {
  readonly ms: number;
  readonly bytes: number;
  readonly answer: string;
}

type Engine = (lake: Lake, query: string, layer: string) => Promise<DuckDbEngine>;

const pruned: Engine = (lake, query) => openQueryEngine(lake, query, undefined);

const whole: Engine = async (lake, _query, layer) => {
  const engine = await openEngine(lake);
  const name = TABLES[layer] ?? '';
  const table = await openTable(lake, { namespace: [layer], name });
  await createTableView(engine, `"${layer}"."${name}"`, await planScan(table));
  return engine;
};

async function fetched(
  folder: string,
  [, layer, query]: readonly [string, string, string],
  open: Engine,
): Promise<Asked> {
  await rm(join(folder, '.lake/cache'), { recursive: true, force: true });
  const before = proxy.answered.length;
  const began = performance.now();
  const lake = await openLake(await loadLake(folder, {}), systemClock);
  const engine = await open(lake, query, layer);
  const answer = JSON.stringify(await engine.all(query));
  const ms = performance.now() - began;
  await engine.close();
  await lake.close();
  const data = proxy.answered
    .slice(before)
    .filter(({ request }) => request.startsWith('GET') && request.includes('.parquet'));
  return { ms, bytes: data.reduce((sum, { bytes }) => sum + bytes, 0), answer };
}

async function flightsOnS3(folder: string): Promise<void> {
  const { accessKeyId, secretAccessKey } = server.settings;
  await command(folder, ['init', folder, '--example', 'flights']);
  const storage = `{ endpoint: "${proxy.endpoint}", path_style: true, access_key_id: ${accessKeyId}, secret_access_key: ${secretAccessKey} }`;
  await writeFile(
    join(folder, 'lake.yaml'),
    `version: 1\nname: flights\nwarehouse: "s3://lake/w"\ncatalog: { embedded: ./.lake/catalog.db }\nstorage: ${storage}\n`,
  );
  const lake = await openLake(await loadLake(folder, {}), systemClock);
  await runPipeline(lake, { select: ['+silver.flights'] });
  await lake.close();
}

async function queries(folder: string, rounds: number): Promise<void> {
  for (const query of QUERIES) {
    const [some, all]: [Asked[], Asked[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      some.push(await fetched(folder, query, pruned));
      all.push(await fetched(folder, query, whole));
    }
    const [ours, theirs] = [median(some.map((one) => one.ms)), median(all.map((one) => one.ms))];
    printFigures({
      bench: 'pruned reading',
      server: server.name,
      query: query[0],
      bytes: some[0]?.bytes,
      whole_bytes: all[0]?.bytes,
      bytes_ratio: rounded((some[0]?.bytes ?? 0) / (all[0]?.bytes ?? 1), 4),
      ms: rounded(ours, 0),
      whole_ms: rounded(theirs, 0),
      ratio: rounded(theirs / ours),
      same: [...some, ...all].every((one) => one.answer === some[0]?.answer),
    });
  }
}

/** Schemas of many small local files. */
async function footers(folder: string, count: number): Promise<void> {
  const first = join(folder, '0.parquet');
  const maker = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  await maker.run(
    `COPY (SELECT i AS id, DATE '2001-01-01' AS day, 'text ' || i AS s FROM range(10) AS r(i)) TO ${quoteText(first)} (FORMAT parquet, FIELD_IDS {id: 1, day: 2, s: 3})`,
  );
  await maker.close();
  const paths = Array.from({ length: count }, (_, i) => join(folder, `${i}.parquet`));
  for (const path of paths.slice(1)) await copyFile(first, path);
  const { size } = await stat(first);
  const files = paths.map(
    (path): DataFile => ({
      content: 'data',
      filePath: `file://${path}`,
      fileFormat: 'PARQUET',
      partition: [],
      recordCount: 10,
      fileSizeInBytes: size,
    }),
  );
  const took = async (work: (engine: DuckDbEngine) => Promise<unknown>): Promise<number> => {
    const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
    const began = performance.now();
    await work(engine);
    const ms = performance.now() - began;
    await engine.close();
    return ms;
  };
  const asked = await took((engine) =>
    engine.raw(
      `SELECT file_name, count(*) FROM parquet_schema([${paths.map(quoteText).join(', ')}]) GROUP BY 1`,
    ),
  );
  const ours = await took((engine) =>
    fileShapes(engine, files, (location) => location.slice('file://'.length)),
  );
  printFigures({
    bench: 'file schemas',
    files: count,
    ms: rounded(ours, 0),
    engine_ms: rounded(asked, 0),
    ratio: rounded(asked / ours),
  });
}

const rounds = Number(process.argv[2] ?? 3);
const server = await startS3Server(process.argv[3] === 'versitygw' ? 'versitygw' : 'minio');
const proxy = await startFaultyProxy(server.settings.endpoint);
const parent = await mkdtemp(join(tmpdir(), 'lake-bench-'));
try {
  await server.makeBucket('lake');
  const folder = join(parent, 'lake');
  await mkdir(folder);
  await flightsOnS3(folder);
  await queries(folder, rounds);
  await mkdir(join(parent, 'many'));
  await footers(join(parent, 'many'), Number(process.argv[4] ?? 10_000));
} finally {
  await proxy.close();
  await server.close();
  await rm(parent, { recursive: true, force: true });
}
