import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { expireTables } from '../../src/maintenance/expire.ts';
import { removeOrphans } from '../../src/maintenance/orphans.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import {
  allObjects,
  appendWord,
  commitFiles,
  createWords,
  createWordsAt,
  DAY,
  HOUR,
  type MemoryLake,
  metadataOf,
  movingPolicies,
  openMemoryLake,
  replaceWith,
  wordsOf,
  writeWord,
} from './memory-lake.ts';

const ALL_AGED = Date.parse('2001-03-10T00:00Z');
const NOTHING = { moves: [], kept: [], tables: [] };
const RULES = { minToKeep: 1, maxAgeMs: 1, maxRefAgeMs: Number.POSITIVE_INFINITY };

let lake: MemoryLake;
let table: TableIdentifier;
beforeEach(async () => {
  lake = await openMemoryLake();
  table = await createWords(lake, 'facts');
});
afterEach(() => lake.close());

const orphans = (on = lake) =>
  removeOrphans(on, { olderThanMs: () => 3 * DAY, droppedOlderThanMs: 3 * DAY, dropped: true });

async function expire() {
  const target = { table: await lake.catalog.loadTable(table), rules: RULES, policy: null };
  return expireTables(lake, [target], lake.clock.now() + DAY);
}

/** A table that reads a file of `facts`, dropped; the snapshot that reads it. */
async function droppedSharer(): Promise<bigint> {
  const gone = await createWords(lake, 'gone');
  const file = await writeWord(lake, await metadataOf(lake, table), 'shared');
  await commitFiles(lake, table, { files: [file] });
  const id = await commitFiles(lake, gone, { files: [file] });
  await lake.catalog.dropTable(gone);
  return id;
}

async function undrop(): Promise<TableIdentifier> {
  const { 'dropped-tables': dropped } = await lake.catalog.extension<{ 'dropped-tables': { id: string }[] }>(
    'GET',
    '/lake/v1/dropped-tables?state=dropped',
  );
  await lake.catalog.extension('POST', `/lake/v1/dropped-tables/${dropped[0]!.id}/undrop`);
  return { namespace: ['gold'], name: 'gone' };
}

test('folders of live views, and of dropped tables that can come back, stay', async () => {
  await lake.catalog.extension('POST', '/v1/namespaces/gold/views', {
    name: 'words',
    schema: { type: 'struct', 'schema-id': 0, fields: [] },
    'view-version': {
      'version-id': 1,
      'schema-id': 0,
      'timestamp-ms': 1000,
      summary: {},
      representations: [{ type: 'sql', sql: 'select 1', dialect: 'duckdb' }],
      'default-namespace': ['gold'],
    },
    properties: {},
  });
  const gone = await createWords(lake, 'gone');
  const id = await appendWord(lake, gone, 'a');
  const { 'table-uuid': uuid } = await metadataOf(lake, gone);
  await lake.catalog.dropTable(gone);
  // Its folder in another tier, in which nothing is named.
  await lake.objects.put(`memory://lake/cold/gold/gone-${uuid}/r/a.parquet`, Buffer.from('a'));
  lake.pass(10 * DAY);
  const before = await allObjects(lake);
  const { dropped } = await orphans();
  expect(dropped.map((one) => one.state)).toEqual(Array(3).fill('still-referenced'));
  expect(await allObjects(lake)).toEqual(before);
  await lake.catalog.extension('GET', '/v1/namespaces/gold/views/words');
  expect(await wordsOf(lake, await metadataOf(lake, await undrop()), id)).toEqual(['a']);
});

test('a catalog that does not tell of views and drops: no folder without a table goes', async () => {
  const gone = await createWords(lake, 'gone');
  await appendWord(lake, gone, 'a');
  await lake.catalog.dropTable(gone);
  lake.pass(10 * DAY);
  const catalog = new Proxy(lake.catalog, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name !== 'extension') return typeof value === 'function' ? value.bind(target) : value;
      return async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => {
        const answer = await target.extension<object>(method, path, body);
        return path === '/lake/v1/tables' ? { ...answer, others: undefined } : answer;
      };
    },
  });
  expect((await orphans({ ...lake, catalog })).dropped).toMatchObject([{ state: 'unproved' }]);
});

test('an expiry leaves what a dropped table would read again', async () => {
  const id = await droppedSharer();
  await replaceWith(lake, table, 'b');
  expect((await expire()).tables).toMatchObject([{ snapshots: [expect.anything()] }]);
  expect(await wordsOf(lake, await metadataOf(lake, await undrop()), id)).toEqual(['shared']);
});

test('orphan removal leaves what a dropped table would read again', async () => {
  const gone = await createWords(lake, 'gone');
  const file = await writeWord(lake, await metadataOf(lake, table), 'shared');
  const id = await commitFiles(lake, gone, { files: [file] });
  await lake.catalog.dropTable(gone);
  lake.pass(10 * DAY);
  await orphans();
  expect(await wordsOf(lake, await metadataOf(lake, await undrop()), id)).toEqual(['shared']);
});

test('the ledger leaves what a dropped table would read again', async () => {
  const id = await droppedSharer();
  await applyPlan(lake, await planMoves(lake, movingPolicies(), ALL_AGED));
  lake.pass(2 * HOUR);
  const { ledger } = await applyPlan(lake, NOTHING);
  expect(ledger.stillNamed).toHaveLength(1);
  expect(await wordsOf(lake, await metadataOf(lake, await undrop()), id)).toEqual(['shared']);
});

test('a dropped table that cannot be read holds the tables that share its folder, and no others', async () => {
  const { location } = await metadataOf(lake, table);
  const gone = await createWordsAt(lake, 'gone', `${location}/inside`);
  await appendWord(lake, gone, 'z');
  const [manifest] = await snapshotManifests(lake.objects, (await metadataOf(lake, gone)).snapshots[0]!);
  await lake.catalog.dropTable(gone);
  await lake.objects.put(manifest!.manifestPath, Buffer.from('no manifest'));
  const other = await createWords(lake, 'other');
  const mine = await writeWord(lake, await metadataOf(lake, table), 'mine');
  const theirs = await writeWord(lake, await metadataOf(lake, other), 'theirs');
  lake.pass(10 * DAY);
  expect((await orphans()).refused).toMatchObject([{ table: 'gold.facts', kind: 'corrupt' }]);
  expect(await lake.objects.exists(mine.filePath)).toBe(true);
  expect(await lake.objects.exists(theirs.filePath)).toBe(false);
});

test('one whose metadata file is gone cannot come back, and holds nothing', async () => {
  await droppedSharer();
  const { tables } = await lake.catalog.extension<{ tables: unknown[] }>('GET', '/lake/v1/tables');
  expect(tables).toHaveLength(1);
  const gone = (await allObjects(lake)).filter((one) => /gone-.*\.metadata\.json$/.test(one));
  await lake.objects.delete(gone);
  await replaceWith(lake, table, 'b');
  expect((await expire()).refused).toEqual([]);
});

test('a clock here that runs ahead of the store makes no young file an orphan', async () => {
  await appendWord(lake, table, 'a');
  const young = await writeWord(lake, await metadataOf(lake, table), 'young');
  const ahead = { ...lake, clock: { ...lake.clock, now: () => lake.clock.now() + 30 * DAY } };
  const before = await allObjects(lake);
  const report = await orphans(ahead);
  expect(report.tables).toMatchObject([{ files: 0 }]);
  expect(await lake.objects.exists(young.filePath)).toBe(true);
  expect(await allObjects(lake)).toEqual(before);
});

test('a clock here that runs ahead of the catalog cuts no grace short', async () => {
  await appendWord(lake, table, 'a');
  await applyPlan(lake, await planMoves(lake, movingPolicies(), ALL_AGED));
  const before = await allObjects(lake);
  const ahead = { ...lake, clock: { ...lake.clock, now: () => lake.clock.now() + 30 * DAY } };
  const { ledger } = await applyPlan(ahead, NOTHING);
  expect(ledger).toMatchObject({ deleted: 0 });
  expect(await allObjects(lake)).toEqual(before);
  lake.pass(2 * HOUR);
  expect((await applyPlan(lake, NOTHING)).ledger.deleted).toBeGreaterThan(0);
});
