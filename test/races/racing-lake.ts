import { join } from 'node:path';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { LocalStore } from '../../src/storage/local.ts';
import { planScan, type ScanOptions } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';
import type { TieredLake } from '../../src/tiering/tiering-context.ts';

/** Whoever has lost a race comes again at once: waits between attempts that grow would leave the tables idle most of the time. */
const impatient: Clock = { ...systemClock, sleep: (ms) => systemClock.sleep(Math.min(ms, 100)) };

/** A lake on the wall clock with tiers hot, warm and cold, that several processes have open at once. */
export interface RacingLake extends TieredLake {
  readonly engine: DuckDbEngine;
  readonly root: string;
  close(): Promise<void>;
}

export async function openRacingLake(root: string): Promise<RacingLake> {
  const warehouse = `file://${root}/warehouse`;
  const tiers = ['hot', 'warm', 'cold'].map((name) => ({ name, location: `${warehouse}/${name}` }));
  const database = join(root, 'catalog.db');
  const catalog = await openEmbeddedCatalog({
    database,
    warehouse: `${warehouse}/hot`,
    tiers,
    clock: systemClock,
  });
  const engine = await openDuckDb({ tempDirectory: join(root, `spill-${systemClock.uuid()}`), threads: 1 });
  return {
    catalog,
    engine,
    root,
    objects: new LocalStore(),
    clock: impatient,
    config: { tiers, timezone: 'UTC', engine: {} },
    close: async () => {
      await engine.close();
      await catalog.close();
    },
  };
}

export const TABLES = ['left', 'right'] as const;
export type RacedTable = (typeof TABLES)[number];

export const idOf = (name: string) => ({ namespace: ['race'], name });

/** A table of ids, partitioned by day(ts), that takes upserts by position deletes. */
export async function createRacedTable(lake: RacingLake, name: RacedTable): Promise<void> {
  if (!(await lake.catalog.namespaceExists(['race']))) await lake.catalog.createNamespace(['race']);
  await lake.catalog.createTable(['race'], {
    name,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'id', required: true, type: 'long' },
        { id: 2, name: 'ts', required: true, type: 'timestamptz' },
        { id: 3, name: 'v', required: true, type: 'int' },
      ],
    },
    'partition-spec': {
      'spec-id': 0,
      fields: [{ 'source-id': 2, 'field-id': 1000, name: 'ts_day', transform: 'day' }],
    },
    properties: {
      'format-version': '2',
      'write.upsert.mode': 'merge-on-read',
      'commit.retry.num-retries': '60',
    },
  });
}

/** The rows of a table at a point as `id:v` (the timestamp follows from both), sorted by id; a row that is there twice comes twice. */
export async function rowsAt(lake: RacingLake, name: string, at: ScanOptions = {}): Promise<string[]> {
  const view = `"rows ${lake.engine.nextId()}"`;
  await createTableView(lake.engine, view, await planScan(await openTable(lake, idOf(name)), at));
  try {
    const sql = `SELECT id || ':' || v || CASE WHEN ts = ${timestamp('id', 'v')} THEN '' ELSE ' at ' || ts END AS r FROM ${view} ORDER BY id, v`;
    return (await lake.engine.all(sql)).map((row) => String(row['r']));
  } finally {
    await dropTableView(lake.engine, view);
  }
}

export const DAYS = 3;
/** Days since 1970. */
export const FIRST_DAY = Date.UTC(2001, 0, 1) / 86_400_000;
/** How long a day of the rows stays the busy one. */
const BUSY_MS = 4_000;

/** The day, counted from the first, of a row with an id and a value: another value may put it into another day. */
export const dayOf = (id: number, v: number): number => (id + v) % DAYS;

/**
 * The day whose rows the writers of all processes mostly change at a time: what rewrites files or moves them has a chance on the other days, as where
 * late data is rare.
 */
export const busyDay = (nowMs: number): number => Math.floor(nowMs / BUSY_MS) % DAYS;

/** Ingestion comes in batches: in the last part of each cycle the writers of all processes rest, and what takes longer than they do can win. */
const CYCLE_MS = 5_000;
const REST_MS = 2_000;

/** How long the writers rest from now on, in ms; 0 while they work. */
export function restMs(nowMs: number): number {
  const left = CYCLE_MS - (nowMs % CYCLE_MS);
  return left <= REST_MS ? left : 0;
}

/** The day that will be busy last. */
export const quietDay = (nowMs: number): number => (busyDay(nowMs) + DAYS - 1) % DAYS;

/** The timestamp of a row, as SQL. */
export const timestamp = (id: string, v: string) =>
  `TIMESTAMPTZ '2001-01-01 12:00:00+00' + ((${id} + ${v}) % ${DAYS}) * INTERVAL 1 DAY`;
