import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Catalog, TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { LakeError } from '../../src/errors.ts';
import { gcEnabled } from '../../src/iceberg/gc-enabled.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { bringBack } from '../../src/tiering/bring-back.ts';
import { ownFiles } from '../../src/tiering/movable.ts';
import { parsePartitionChoice } from '../../src/tiering/partition-choice.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { planRestore } from '../../src/tiering/restore.ts';
import { planUndo } from '../../src/tiering/undo.ts';
import {
  allObjects,
  appendWord,
  commitFiles,
  createWords,
  createWordsAt,
  DAY,
  everyWord,
  HOUR,
  type MemoryLake,
  metadataOf,
  movingPolicies,
  openMemoryLake,
  replaceWith,
  wordsOf,
  writeWord,
} from '../maintenance/memory-lake.ts';

const ALL_AGED = Date.parse('2001-03-10T00:00Z');
const NOTHING = { moves: [], kept: [], tables: [] };

let lake: MemoryLake;
let table: TableIdentifier;
beforeEach(async () => {
  lake = await openMemoryLake();
  table = await createWords(lake, 'facts');
});
afterEach(() => lake.close());

const plan = () => planMoves(lake, movingPolicies(), ALL_AGED);

async function setProperty(name: string, value: string): Promise<void> {
  const updates = [{ action: 'set-properties' as const, updates: { [name]: value } }];
  await lake.catalog.commitTable({ identifier: table, requirements: [], updates });
}

/** The lake through a catalog some of whose calls go another way. */
function through(over: Partial<Catalog>): MemoryLake {
  const catalog = new Proxy(lake.catalog, {
    get(target, name) {
      const other: unknown = Reflect.get(over, name);
      const value: unknown = other ?? Reflect.get(target, name);
      return other === undefined && typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...lake, catalog };
}

/** A file that lies in no folder of the table's, as Spark's add_files leaves it. */
async function foreignFile(word: string): Promise<DataFile> {
  const file = await writeWord(lake, await metadataOf(lake, table), word);
  const filePath = `memory://lake/hot/hive/${word}.parquet`;
  await lake.objects.put(filePath, Buffer.from(word));
  await lake.objects.delete([file.filePath]);
  return { ...file, filePath };
}

test.each([
  [undefined, true],
  ['true', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['yes', false],
])('gc.enabled=%s is read as Java reads it: %s', (value, expected) => {
  expect(gcEnabled({ properties: value === undefined ? {} : { 'gc.enabled': value } })).toBe(expected);
});

test("a table's own files are told by its folders and its uuid, in every spelling", () => {
  const uuid = '11111111-2222-3333-4444-555555555555';
  const isOwn = ownFiles({
    location: 's3://lake/hot/gold/facts',
    properties: { 'write.data.path': 's3a://data/facts/' },
    'table-uuid': uuid,
  });
  expect(isOwn('s3a://lake/hot/gold//facts/data/a.parquet')).toBe(true);
  expect(isOwn('s3://data/facts/a.parquet')).toBe(true);
  expect(isOwn(`s3://cold/old/name-${uuid}/r/a.parquet`)).toBe(true);
  expect(isOwn('s3://lake/hot/gold/facts2/a.parquet')).toBe(false);
  expect(isOwn('s3://lake/hot/gold/facts/../other/a.parquet')).toBe(false);
});

test('a table with gc.enabled=false is not moved, by a plan from before or a new one', async () => {
  await appendWord(lake, table, 'a');
  const before = await plan();
  expect(before.moves).toHaveLength(1);
  await setProperty('gc.enabled', 'FALSE');
  const objects = await allObjects(lake);
  const { moves, kept } = await plan();
  expect(moves).toEqual([]);
  expect(kept).toMatchObject([{ reason: expect.stringContaining('gc.enabled is false') }]);
  const { refused, relocations } = await applyPlan(lake, before);
  expect(relocations).toEqual([]);
  expect(refused).toMatchObject([{ reason: expect.stringContaining('gc.enabled is false') }]);
  expect(await allObjects(lake)).toEqual(objects);
});

test('gc.enabled=false set during a move takes it back; set after it, the ledger is held', async () => {
  await appendWord(lake, table, 'a');
  const crash = async (step: string) => {
    if (step === 'copied') throw new Error('crash');
  };
  await expect(applyPlan(lake, await plan(), { faults: { at: crash } })).rejects.toThrow('crash');
  await setProperty('gc.enabled', 'false');
  lake.pass(HOUR);
  expect((await applyPlan(lake, NOTHING)).resumed).toMatchObject([{ state: 'rolled-back' }]);
  await setProperty('gc.enabled', 'true');
  const old = (await allObjects(lake)).filter((one) => one.endsWith('.parquet'));
  await applyPlan(lake, await plan());
  await setProperty('gc.enabled', 'false');
  lake.pass(2 * HOUR);
  expect((await applyPlan(lake, NOTHING)).ledger.deleted).toBe(0);
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(old));
  await setProperty('gc.enabled', 'true');
  expect((await applyPlan(lake, NOTHING)).ledger.deleted).toBeGreaterThan(0);
});

test('files that were added in place stay, and the plan says so; the others of their partition move', async () => {
  const foreign = await foreignFile('foreign');
  await commitFiles(lake, table, { files: [foreign] });
  await appendWord(lake, table, 'own');
  const made = await plan();
  expect(made.moves).toMatchObject([{ files: 1, bytes: 3 }]);
  expect(made.kept).toMatchObject([{ reason: expect.stringContaining("lies outside the lake's tiers") }]);
  const read = await everyWord(lake, table);
  await applyPlan(lake, made);
  lake.pass(2 * HOUR);
  await applyPlan(lake, NOTHING);
  expect(await lake.objects.exists(foreign.filePath)).toBe(true);
  expect(await everyWord(lake, table)).toMatchObject(read);
  const [move] = made.moves;
  const forced = { ...made, moves: [{ ...move!, paths: [foreign.filePath] }] };
  await expect(applyPlan(lake, forced)).rejects.toMatchObject({ kind: 'stale-plan' });
});

test('a table outside the tiers and the warehouse is not moved: a copied project would delete the files of the first', async () => {
  const outside = await createWords(lake, 'outside', { location: 'memory://first/warehouse/outside' });
  await appendWord(lake, outside, 'a');
  const { moves, kept } = await plan();
  expect(moves).toEqual([]);
  expect(kept).toMatchObject([{ reason: expect.stringContaining('lies outside the tiers') }]);
  const config = { ...lake.config, warehouse: 'memory://first/warehouse' };
  const allowed = await planMoves({ ...lake, config }, movingPolicies(), ALL_AGED);
  expect(allowed.moves).toHaveLength(1);
  const { refused } = await applyPlan(lake, allowed);
  expect(refused).toMatchObject([{ reason: expect.stringContaining('lies outside the tiers') }]);
});

test('in a copied project nothing of the first is deleted: no copies of an interrupted move, no old objects', async () => {
  await appendWord(lake, table, 'a');
  const tiers = ['hot', 'warm', 'cold'].map((name) => ({ name, location: `memory://copy/${name}` }));
  const copy = { ...lake, config: { ...lake.config, tiers } };
  const crash = async (step: string) => {
    if (step === 'copied') throw new Error('crash');
  };
  await expect(applyPlan(lake, await plan(), { faults: { at: crash } })).rejects.toThrow('crash');
  lake.pass(HOUR);
  const objects = await allObjects(lake);
  expect((await applyPlan(copy, NOTHING)).resumed).toMatchObject([{ state: 'rolled-back' }]);
  expect(await allObjects(lake)).toEqual(objects);
  await applyPlan(lake, await plan());
  lake.pass(2 * HOUR);
  expect((await applyPlan(copy, NOTHING)).ledger.deleted).toBe(0);
});

test('a damaged table neither hides that another has moved nor blocks the next run', async () => {
  const damaged = await createWords(lake, 'damaged', { location: 'memory://lake/hot/damaged' });
  await appendWord(lake, damaged, 'z');
  await appendWord(lake, table, 'a');
  const made = await plan();
  const moves = made.moves.filter((move) => move.table === 'gold.facts');
  const [manifest] = await snapshotManifests(lake.objects, currentSnapshot(await metadataOf(lake, damaged))!);
  await lake.objects.put(manifest!.manifestPath, Buffer.from('no manifest'));
  const told: string[] = [];
  const warn = (message: string) => told.push(message);
  const report = await applyPlan(lake, { ...made, moves }, { warn });
  expect(report.relocations).toMatchObject([{ state: 'swapped' }]);
  expect(told).toMatchObject([expect.stringContaining('not cleaned up')]);
  lake.pass(2 * HOUR);
  const next = await applyPlan(lake, NOTHING, { warn });
  expect(next.ledger.deleted).toBe(0);
  expect(told.at(-1)).toContain('No old object was deleted');
  await lake.catalog.dropTable(damaged, { purge: true });
  await applyPlan(lake, NOTHING);
});

test('a restore whose lease was lost keeps its pin while its journal goes on', async () => {
  await appendWord(lake, table, 'a');
  await applyPlan(lake, await plan());
  const loaded = await lake.catalog.loadTable(table);
  const partitions = parsePartitionChoice('2001-01-01');
  const restore = await planRestore(lake, { table: loaded, partitions, to: 'hot', graceMs: HOUR });
  const at = async (step: string) => {
    if (step === 'copied') lake.pass(HOUR);
  };
  const until = lake.clock.now() + 30 * DAY;
  await expect(bringBack(lake, restore, until, { faults: { at } })).rejects.toMatchObject({
    kind: 'conflict',
  });
  const pins = async () =>
    Object.keys((await metadataOf(lake, table)).properties).filter((key) => key.startsWith('lake.restore.'));
  expect(await pins()).toHaveLength(1);
  expect((await applyPlan(lake, NOTHING)).resumed).toMatchObject([{ state: 'swapped' }]);
  expect(await pins()).toHaveLength(1);
  expect((await plan()).moves).toEqual([]);
});

test('a plan whose moves were undone is not done already', async () => {
  await appendWord(lake, table, 'a');
  const made = await plan();
  await applyPlan(lake, made);
  expect((await applyPlan(lake, made)).relocations).toMatchObject([{ state: 'already-done' }]);
  await bringBack(lake, await planUndo(lake), lake.clock.now());
  await expect(applyPlan(lake, made)).rejects.toMatchObject({ kind: 'stale-plan' });
  await applyPlan(lake, await plan());
  expect((await applyPlan(lake, made)).relocations).toMatchObject([{ state: 'already-done' }]);
});

/** A catalog whose first swap gets lost on its way, and lands at the next `loadTable`: before its answer or after it. */
function lateSwap(kind: 'unavailable' | 'conflict', landing: 'before' | 'after'): MemoryLake {
  let late: (() => Promise<unknown>) | null = null;
  let isFirst = true;
  const land = async () => {
    const swap = late;
    late = null;
    await swap?.();
  };
  return through({
    async extension<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
      if (!path.endsWith('/swap') || !isFirst) return lake.catalog.extension<T>(method, path, body);
      isFirst = false;
      late = () => lake.catalog.extension(method, path, body);
      throw new LakeError(kind, 'no answer');
    },
    async loadTable(identifier) {
      if (landing === 'before') await land();
      const loaded = await lake.catalog.loadTable(identifier);
      await land();
      return loaded;
    },
  });
}

test.each([
  ['unavailable', 'before'],
  ['conflict', 'after'],
] as const)(
  'a swap that lands after its answer "%s" (%s the table is read) counts',
  async (kind, landing) => {
    const id = await appendWord(lake, table, 'a');
    const { relocations, refused } = await applyPlan(lateSwap(kind, landing), await plan());
    expect(refused).toEqual([]);
    expect(relocations).toMatchObject([{ state: 'swapped', files: 1 }]);
    lake.pass(2 * HOUR);
    await applyPlan(lake, NOTHING);
    expect(await wordsOf(lake, await metadataOf(lake, table), id)).toEqual(['a']);
  },
);

test('an old object that still waits for another table stays until that one lets go', async () => {
  const { location } = await metadataOf(lake, table);
  const file = await writeWord(lake, await metadataOf(lake, table), 'shared');
  const other = await createWordsAt(lake, 'other', `memory:${location.slice('memory:/'.length)}/in`, {
    'write.data.path': location,
  });
  for (const one of [table, other]) await commitFiles(lake, one, { files: [file] });
  const made = await plan();
  const tables = made.tables.map((one) =>
    one.table === 'gold.other' ? { ...one, grace_ms: 10 * HOUR } : one,
  );
  expect((await applyPlan(lake, { ...made, tables })).relocations).toHaveLength(2);
  lake.pass(2 * HOUR);
  await applyPlan(lake, NOTHING);
  expect(await lake.objects.exists(file.filePath)).toBe(true);
  lake.pass(10 * HOUR);
  await applyPlan(lake, NOTHING);
  expect(await lake.objects.exists(file.filePath)).toBe(false);
});

test('a table that is expired while it is read is read again', async () => {
  const other = await createWords(lake, 'other');
  await appendWord(lake, other, 'old');
  const stale = await lake.catalog.loadTable(other);
  await replaceWith(lake, other, 'new');
  await lake.catalog.commitTable({
    identifier: other,
    requirements: [],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': [stale.metadata.snapshots[0]!['snapshot-id']] }],
  });
  await lake.objects.delete([stale.metadata.snapshots[0]!['manifest-list']]);
  await appendWord(lake, table, 'a');
  const made = await plan();
  let staleReads = 0;
  const racing = through({
    async loadTable(identifier) {
      if (identifier.name !== 'other' || staleReads++ > 0) return lake.catalog.loadTable(identifier);
      return stale;
    },
  });
  const told: string[] = [];
  const moves = made.moves.filter((move) => move.table === 'gold.facts');
  await applyPlan(racing, { ...made, moves }, { warn: (message) => told.push(message) });
  expect(staleReads).toBeGreaterThan(1);
  expect(told).toEqual([]);
  staleReads = 0;
  await planMoves(racing, movingPolicies(), ALL_AGED);
  expect(staleReads).toBeGreaterThan(1);
});

test('two snapshots with one manifest list both read the moved files', async () => {
  const first = await appendWord(lake, table, 'a');
  const { snapshots, 'last-sequence-number': last } = await metadataOf(lake, table);
  const id = lake.clock.snapshotId();
  const again = {
    ...snapshots[0]!,
    'snapshot-id': id,
    'parent-snapshot-id': first,
    'sequence-number': last + 1,
    'timestamp-ms': lake.clock.now(),
  };
  await lake.catalog.commitTable({
    identifier: table,
    requirements: [],
    updates: [
      { action: 'add-snapshot', snapshot: again },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ],
  });
  expect((await applyPlan(lake, await plan())).relocations).toMatchObject([{ state: 'swapped' }]);
  lake.pass(2 * HOUR);
  expect((await applyPlan(lake, NOTHING)).ledger.stillNamed).toEqual([]);
  const read = await everyWord(lake, table);
  expect([read[String(first)], read[String(id)]]).toEqual([['a'], ['a']]);
});
