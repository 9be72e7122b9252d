import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { planScan, type ScanOptions } from '../../src/table/scan.ts';
import { openTable, type Table } from '../../src/table/table.ts';
import { allTables } from '../../src/tiering/all-tables.ts';

const MODELS = {
  'models/bronze/e.sql': 'SELECT * FROM source',
  'models/bronze/e.yml':
    'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
  'models/silver/e.sql':
    'SELECT _source_file, _row, CAST(ts AS TIMESTAMP) AS ts, CAST(v AS INTEGER) AS v FROM bronze.e',
  'models/silver/e.yml':
    'version: 1\nmaterialisation: replace_partitions\npartition_by: [day(ts)]\nkey: [_source_file, _row]\n' +
    'columns:\n  - { name: v, checks: [not_null] }\n',
  'models/gold/daily.sql': 'SELECT CAST(ts AS DATE) AS day, sum(v) AS v FROM silver.e GROUP BY ALL',
  'models/gold/daily.yml': 'version: 1\nmaterialisation: full\nkey: [day]\n',
  'models/gold/total.sql': 'SELECT count(*) AS n, sum(v) AS v FROM silver.e',
  'models/gold/total.yml': 'version: 1\nmaterialisation: full\nkey: [n]\n',
};

const FILES = {
  'lake.yaml':
    'version: 1\nname: tiny\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\npolicies: ./policies\n' +
    'tiers:\n  hot: { location: "{warehouse}/hot" }\n  cold: { location: "{warehouse}/cold" }\n',
  'policies/p.yaml':
    'version: 1\npolicies:\n  - { name: old, match: { tables: [silver.e] }, grace: 1h, age: { from: partition },\n' +
    '      transitions: [ { to: cold, after: 30d } ] }\n',
  ...MODELS,
};

/** A project with a bronze, a silver (by day) and two gold tables, without rows. */
export async function writeProject(root: string): Promise<void> {
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** A source file of `rows` rows over three days from 2001-01-`day`. */
export async function writeSource(
  root: string,
  name: string,
  { day, rows }: { readonly day: number; readonly rows: number },
): Promise<void> {
  const lines = Array.from({ length: rows }, (_, i) => {
    const date = `2001-01-${String(day + (i % 3)).padStart(2, '0')}`;
    return `${date} 10:00:00,${i}`;
  });
  await mkdir(join(root, 'data'), { recursive: true });
  await writeFile(join(root, 'data', name), `ts,v\n${lines.join('\n')}\n`);
}

/** Opens a project with an engine, and closes both after the use. */
export async function inProject<T>(
  root: string,
  use: (lake: Lake, engine: DuckDbEngine) => Promise<T>,
  aheadMs = 0,
): Promise<T> {
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const lake = await openLake(await loadLake(root, {}), clock);
  try {
    const engine = await openDuckDb({ tempDirectory: join(root, 'spill'), threads: 1 });
    try {
      return await use(lake, engine);
    } finally {
      await engine.close();
    }
  } finally {
    await lake.close();
  }
}

/** The rows of a table at a point, without what tells when they landed. */
async function rowsAt(engine: DuckDbEngine, table: Table, options: ScanOptions): Promise<string[]> {
  const view = `"v${engine.nextId()}"`;
  await createTableView(engine, view, await planScan(table, options));
  const columns = table.name.startsWith('bronze.') ? '* EXCLUDE (_batch_id, _ingested_at)' : '*';
  return (await engine.all(`SELECT ${columns} FROM ${view} ORDER BY ALL`)).map((row) => JSON.stringify(row));
}

/** What the current state of every table of the catalog answers. */
export async function currentAnswers(lake: Lake, engine: DuckDbEngine): Promise<Record<string, string[]>> {
  const answers: Record<string, string[]> = {};
  for await (const { identifier, metadata } of allTables(lake.catalog)) {
    // The record of the runs: each run that did something adds to it.
    if (identifier.namespace[0] === 'lake_system') continue;
    const table = await openTable(lake, identifier);
    answers[table.name] = metadata.refs['main'] === undefined ? [] : await rowsAt(engine, table, {});
  }
  return answers;
}

/** What every retained snapshot and tag of every table answers. */
export async function historyAnswers(lake: Lake, engine: DuckDbEngine): Promise<Record<string, string[]>> {
  const answers: Record<string, string[]> = {};
  for await (const { identifier, metadata } of allTables(lake.catalog)) {
    const table = await openTable(lake, identifier);
    for (const { 'snapshot-id': snapshotId } of metadata.snapshots)
      answers[`${table.name} ${snapshotId}`] = await rowsAt(engine, table, { snapshotId });
    for (const [name, ref] of Object.entries(metadata.refs))
      if (ref.type === 'tag') answers[`${table.name} ${name}`] = await rowsAt(engine, table, { ref: name });
  }
  return answers;
}
