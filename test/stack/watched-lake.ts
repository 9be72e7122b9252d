import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { localPath } from '../../src/storage/location.ts';
import { appendSelect } from '../../src/table/append.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';
import { Journal } from '../../src/tiering/journal.ts';
import { lake as cli } from '../cli/recorded-terminal.ts';
import { freePort } from '../free-port.ts';
import { stopped } from './prometheus-server.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const SILVER =
  'SELECT _source_file, _row, CAST(ts AS TIMESTAMP) AS ts, CAST(v AS INTEGER) AS v FROM bronze.e';
const BY_DAY =
  'version: 1\nmaterialisation: replace_partitions\npartition_by: [day(ts)]\nkey: [_source_file, _row]\ncolumns:\n' +
  '  - { name: v, checks: [not_null] }\n';

const FILES = {
  'lake.yaml':
    'version: 1\nname: watched\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\npolicies: ./policies\n' +
    'tiers:\n  hot: { location: "{warehouse}/hot" }\n  warm: { location: "{warehouse}/warm" }\n' +
    '  cold: { location: "{warehouse}/cold" }\n',
  'policies/p.yaml':
    'version: 1\npolicies:\n  - { name: old, match: { tables: [silver.*] }, grace: 1h, age: { from: partition },\n' +
    '      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }\n',
  'models/bronze/e.sql': 'SELECT * FROM source',
  'models/bronze/e.yml':
    'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
  'models/silver/e.sql': SILVER,
  'models/silver/e.yml': `${BY_DAY}  - { name: ts, checks: [ { freshness: { max_age: 10d }, severity: warn } ] }\n`,
  'models/silver/f.sql': SILVER,
  'models/silver/f.yml': BY_DAY,
  'models/gold/total.sql': 'SELECT count(*) AS n, sum(v) AS v FROM silver.e',
  'models/gold/total.yml': 'version: 1\nmaterialisation: full\nkey: [n]\n',
  // Ten days of January.
  'data/1.csv': `ts,v\n${Array.from({ length: 40 }, (_, i) => `2001-01-${String(1 + (i % 10)).padStart(2, '0')} 10:00:00,${i}`).join('\n')}\n`,
};

/** Days 1 to 3 are aged for warm then. */
const MOVED_AT = '2001-02-03';
/** What the exporter takes for now: days 4 to 8 are aged for warm too, none for cold. */
export const WATCHED_AT = '2001-02-08T12:00:00Z';

export interface WatchedLake {
  readonly lake: Lake;
  /** Of the catalog's and of the exporter's metrics. */
  readonly ports: { readonly catalog: number; readonly exporter: number };
  /** Through the served catalog. */
  readonly served: RestCatalog;
  write(path: string, text: string): Promise<void>;
  /** What a command prints as JSON; its exit code must be `code`. */
  run<T>(words: readonly string[], code?: number): Promise<T>;
  /** A run that a check stops. */
  failingRun(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A lake with a past, its catalog served and its metrics exported: a run that published, one that failed; silver.e with days in hot and warm, and more of
 * them due; silver.f due as well and held up by staged work; a move that stopped on its way, one that was given up; an orphan, and a folder of no table.
 */
export async function openWatchedLake(): Promise<WatchedLake> {
  const root = await mkdtemp(join(tmpdir(), 'lake-watched-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  for (const [path, text] of Object.entries(FILES)) await write(path, text);
  const run = async <T>(words: readonly string[], code = 0): Promise<T> => {
    const done = await cli(root, ['--yes', '-o', 'json', ...words]);
    if (done.code !== code)
      throw new Error(`lake ${words.join(' ')} ended with ${done.code}:\n${done.stdout}${done.stderr}`);
    return JSON.parse(done.stdout === '' ? 'null' : done.stdout);
  };
  await run(['--now', '2001-01-12', 'run']);
  await run(['--now', MOVED_AT, 'tier', 'apply']);
  const lake = await openLake(await loadLake(root, {}), systemClock);
  await stageWork(lake);
  await breakMoves(lake);
  await leaveOrphans(lake);
  const failingRun = async () => {
    await write('data/2.csv', 'ts,v\n2001-01-11 10:00:00,5\n2001-01-11 11:00:00,\n');
    await run(['--now', '2001-01-12', 'run'], 4);
  };
  await failingRun();
  const ports = { catalog: await freePort(), exporter: await freePort() };
  const port = await freePort();
  const children = [
    program(root, ['catalog', 'serve', '--port', `${port}`, '--metrics-port', `${ports.catalog}`]),
    program(root, ['--now', WATCHED_AT, 'metrics', '--listen', `${ports.exporter}`, '--every', '1s']),
  ];
  const served = new RestCatalog({ uri: `http://127.0.0.1:${port}` });
  return {
    lake,
    ports,
    served,
    write,
    run,
    failingRun,
    close: async () => {
      await Promise.all(children.map(stopped));
      await lake.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function program(root: string, words: readonly string[]) {
  const args = ['--disable-warning=ExperimentalWarning', MAIN, '-C', root, ...words];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

/** A branch with a snapshot of its own: its table is not moved. */
async function stageWork(lake: Lake): Promise<void> {
  const engine = await openLakeEngine(lake);
  try {
    const sql = "SELECT 'x' AS _source_file, 0::BIGINT AS _row, TIMESTAMP '2001-01-20' AS ts, 1 AS v";
    await appendSelect(lake, engine, parseTableName('silver.f'), { sql, branch: 'staged' });
  } finally {
    await engine.close();
  }
}

/** One whose process died, with a lease that has run out, and one that was rolled back. */
async function breakMoves(lake: Lake): Promise<void> {
  const journal = new Journal(lake.catalog);
  for (const [name, end] of [
    ['silver.f', 'interrupted'],
    ['gold.total', 'rolled-back'],
  ] as const) {
    const { metadata } = await openTable(lake, parseTableName(name));
    const uuid = metadata['table-uuid'];
    const id = lake.clock.uuid();
    const { 'lease-id': lease } = await journal.acquireLease(uuid, 'a process that died', 60_000);
    const plan = { 'data-files': 0, bytes: 0, 'metadata-prefix': `${id}-`, prefixes: [] };
    await journal.begin(
      { identifier: parseTableName(name), 'relocation-id': id, 'table-uuid': uuid, 'grace-ms': 0, plan },
      lease,
    );
    if (end === 'rolled-back') await journal.setState(id, 'rolled-back', lease);
    await journal.releaseLease(lease);
  }
}

const OLD_DAYS = 10;

async function leaveOrphans(lake: Lake): Promise<void> {
  const { metadata } = await openTable(lake, parseTableName('silver.e'));
  const stray = `${lake.config.tiers[0]?.location}/silver/gone-${lake.clock.uuid()}/data/x.parquet`;
  const old = new Date(lake.clock.now() - OLD_DAYS * 86_400_000);
  for (const location of [`${metadata.location}/data/left.parquet`, stray]) {
    await mkdir(dirname(localPath(location)), { recursive: true });
    await writeFile(localPath(location), 'left by a writer');
    await utimes(localPath(location), old, old);
  }
}
