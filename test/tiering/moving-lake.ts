import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { evolveSchema } from '../../src/iceberg/schema-evolution.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { currentSchema, currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { LocalStore } from '../../src/storage/local.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';
import { createRef } from '../../src/table/tag.ts';
import { liveReferences } from '../../src/tiering/live-references.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';
import type { TieredLake } from '../../src/tiering/tiering-context.ts';

/** A lake in a temporary folder with tiers hot, warm and cold, on the real catalog, and a clock of its own. */
export interface MovingLake extends TieredLake {
  readonly engine: DuckDbEngine;
  readonly root: string;
  /** Moves the clock on by `ms`. */
  pass(ms: number): void;
  close(): Promise<void>;
}

/** @param options `root`: the folder of a lake that is there already, `aheadMs`: how far its clock is ahead of the wall clock */
export async function openMovingLake(
  options: { readonly root?: string; readonly aheadMs?: number } = {},
): Promise<MovingLake> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'lake move %41 ')));
  const warehouse = `file://${root}/warehouse`;
  const tiers = ['hot', 'warm', 'cold'].map((name) => ({ name, location: `${warehouse}/${name}` }));
  let now = systemClock.now() + (options.aheadMs ?? 0);
  const clock: Clock = {
    ...systemClock,
    now: () => ++now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const database = join(root, 'catalog.db');
  const catalog = await openEmbeddedCatalog({ database, warehouse: `${warehouse}/hot`, tiers, clock });
  const engine = await openDuckDb({ tempDirectory: join(root, 'spill') });
  return {
    catalog,
    objects: new LocalStore(),
    clock,
    engine,
    root,
    config: { tiers, timezone: 'UTC', engine: {} },
    pass: (ms) => {
      now += ms;
    },
    close: async () => {
      await engine.close();
      await catalog.close();
      if (options.root === undefined) await rm(root, { recursive: true });
    },
  };
}

export const nameOf = (name: string): TableIdentifier => ({ namespace: ['gold'], name });

/** A table partitioned by day(ts), with rows of 1 to 4 January 2001. */
export async function createTable(lake: MovingLake, name: string): Promise<void> {
  if (!(await lake.catalog.namespaceExists(['gold']))) await lake.catalog.createNamespace(['gold']);
  await lake.catalog.createTable(['gold'], {
    name,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'id', required: false, type: 'int' },
        { id: 2, name: 'ts', required: false, type: 'timestamptz' },
        { id: 3, name: 'note', required: false, type: 'string' },
      ],
    },
    'partition-spec': {
      'spec-id': 0,
      fields: [{ 'source-id': 2, 'field-id': 1000, name: 'ts_day', transform: 'day' }],
    },
    properties: { 'format-version': '2' },
  });
}

/** Appends `count` rows with ids from `first`, spread over the four days. */
export async function append(
  lake: MovingLake,
  name: string,
  first: number,
  count: number,
  columns = 'note',
): Promise<void> {
  const rows = `SELECT i::INT AS id, TIMESTAMPTZ '2001-01-01 12:00:00+00' + (i % 4) * INTERVAL 1 DAY AS ts, 'n' || i AS note
    FROM range(${first}, ${first + count}) r(i)`;
  const select =
    columns === 'note'
      ? rows
      : `SELECT id::BIGINT AS id, ts, note AS remark, id * 2.5 AS price FROM (${rows})`;
  await appendSelect(lake, lake.engine, nameOf(name), { sql: select });
}

export async function remove(lake: MovingLake, name: string, where: string): Promise<void> {
  await deleteWhere(lake, lake.engine, nameOf(name), { where });
}

/** Renames, widens and adds a column. */
export async function evolve(lake: MovingLake, name: string): Promise<void> {
  const { metadata } = await lake.catalog.loadTable(nameOf(name));
  const { schema, lastColumnId } = evolveSchema(currentSchema(metadata), metadata['last-column-id'], [
    { action: 'rename-column', column: 'note', to: 'remark' },
    { action: 'widen-column', column: 'id', type: 'long' },
    { action: 'add-column', name: 'price', type: 'double' },
  ]);
  await lake.catalog.commitTable({
    identifier: nameOf(name),
    requirements: [],
    updates: [
      { action: 'add-schema', schema, 'last-column-id': lastColumnId },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
  });
}

export async function tag(
  lake: MovingLake,
  name: string,
  label: string,
  type: 'tag' | 'branch' = 'tag',
): Promise<void> {
  await createRef(lake, nameOf(name), { name: label, type });
}

/** Snapshots that are no fences, oldest first: a twin that never moved has the same. */
export async function ownSnapshots(lake: MovingLake, name: string): Promise<Snapshot[]> {
  const { metadata } = await lake.catalog.loadTable(nameOf(name));
  return metadata.snapshots
    .filter((snapshot) => snapshot.summary[FENCE_PROPERTY] === undefined)
    .sort((a, b) => a['sequence-number'] - b['sequence-number']);
}

/** The rows of each of its own snapshots, of each ref and of the current state, as text. */
export async function everything(lake: MovingLake, name: string): Promise<Record<string, string[]>> {
  const seen: Record<string, string[]> = {};
  for (const [at, snapshot] of (await ownSnapshots(lake, name)).entries()) {
    seen[`snapshot ${at}`] = await rowsOf(lake, name, { snapshotId: snapshot['snapshot-id'] });
  }
  const { metadata } = await lake.catalog.loadTable(nameOf(name));
  for (const ref of Object.keys(metadata.refs).sort()) seen[`ref ${ref}`] = await rowsOf(lake, name, { ref });
  seen['current'] = currentSnapshot(metadata) === undefined ? [] : await rowsOf(lake, name, {});
  return seen;
}

async function rowsOf(
  lake: MovingLake,
  name: string,
  options: { snapshotId?: bigint; ref?: string },
): Promise<string[]> {
  const view = `"v${lake.engine.nextId()}"`;
  await createTableView(lake.engine, view, await planScan(await openTable(lake, nameOf(name)), options));
  const rows = await lake.engine.all(`SELECT * FROM ${view} ORDER BY ALL`);
  await dropTableView(lake.engine, view);
  return rows.map((row) => JSON.stringify(row));
}

/** Every object in the warehouse. */
export async function allObjects(lake: MovingLake): Promise<string[]> {
  const found: string[] = [];
  for await (const page of lake.objects.list(`file://${lake.root}/warehouse/`))
    found.push(...page.map((one) => one.location));
  return found;
}

/** Objects that nothing names: no table's current metadata, and no metadata file (they make up the metadata log). */
export async function leakedObjects(lake: MovingLake): Promise<string[]> {
  const there = (await allObjects(lake)).filter((location) => !location.endsWith('.metadata.json'));
  const { named } = await liveReferences(lake, there);
  return there.filter((location) => !named.has(location));
}
