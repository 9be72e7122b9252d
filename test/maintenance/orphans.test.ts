import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { type OrphanOptions, removeOrphans } from '../../src/maintenance/orphans.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import type { RelocationStep } from '../../src/tiering/protocol.ts';
import {
  allObjects,
  appendWord,
  commitFiles,
  createWords,
  createWordsAt,
  DAY,
  everyWord,
  forget,
  HOUR,
  type MemoryLake,
  metadataOf,
  movingPolicies,
  openMemoryLake,
  wordsOf,
  writeWord,
} from './memory-lake.ts';

const ALL_AGED = Date.parse('2001-03-10T00:00Z');

let lake: MemoryLake;
let table: TableIdentifier;
beforeEach(async () => {
  lake = await openMemoryLake();
  table = await createWords(lake, 'facts');
});
afterEach(() => lake.close());

function orphans(options: Partial<OrphanOptions> = {}) {
  return removeOrphans(lake, { olderThanMs: () => 3 * DAY, droppedOlderThanMs: 3 * DAY, ...options });
}

async function leak(word: string): Promise<DataFile> {
  return writeWord(lake, await metadataOf(lake, table), word);
}

async function isThere(location: string): Promise<boolean> {
  return lake.objects.exists(location);
}

class Crash extends Error {}

/** A move that is killed at a step. */
async function killedMove(step: RelocationStep): Promise<void> {
  const plan = await planMoves(lake, movingPolicies(), ALL_AGED);
  const at = async (reached: RelocationStep) => {
    if (reached === step) throw new Crash(step);
  };
  await expect(applyPlan(lake, plan, { faults: { at } })).rejects.toThrow(Crash);
}

test('old leaks go, young ones and what is named stay; a dry run says the same and deletes nothing', async () => {
  await appendWord(lake, table, 'a');
  const old = await leak('old');
  lake.pass(3 * DAY);
  const young = await leak('young');
  const before = await everyWord(lake, table);
  const dry = await orphans({ dryRun: true });
  expect(await isThere(old.filePath)).toBe(true);
  const report = await orphans();
  expect(report).toEqual(dry);
  expect(report.tables).toMatchObject([
    { table: 'gold.facts', files: 1, bytes: 3, examples: [old.filePath] },
  ]);
  expect([await isThere(old.filePath), await isThere(young.filePath)]).toEqual([false, true]);
  expect(await everyWord(lake, table)).toEqual(before);
});

test('metadata files of the log, statistics and version hints stay; those that fell out of the log go', async () => {
  const short = await createWords(lake, 'short', {
    properties: { 'write.metadata.previous-versions-max': '1' },
  });
  for (const word of ['a', 'b', 'c']) await appendWord(lake, short, word);
  const { location, 'current-snapshot-id': id } = await metadataOf(lake, short);
  const [statistics, hint] = [`${location}/metadata/x.puffin`, `${location}/metadata/version-hint.text`];
  for (const object of [statistics, hint]) await lake.objects.put(object, Buffer.from('1'));
  await lake.catalog.commitTable({
    identifier: short,
    requirements: [],
    updates: [
      {
        action: 'set-statistics',
        statistics: {
          'snapshot-id': id!,
          'statistics-path': statistics,
          'file-size-in-bytes': 1,
          'file-footer-size-in-bytes': 1,
          'blob-metadata': [],
        },
      },
    ],
  });
  lake.pass(4 * DAY);
  const report = await orphans({ tables: ['gold.short'] });
  expect(report.tables).toMatchObject([{ files: 3, unknown: [] }]);
  expect(report.tables[0]!.examples.every((one) => one.endsWith('.metadata.json'))).toBe(true);
  expect([await isThere(statistics), await isThere(hint)]).toEqual([true, true]);
  await appendWord(lake, short, 'd');
});

test('an age below 24 hours is refused', async () => {
  const [name, short] = ['usage', { olderThanMs: () => DAY - 1 }];
  await expect(orphans(short)).rejects.toMatchObject({ kind: name });
  await expect(orphans({ droppedOlderThanMs: HOUR })).rejects.toMatchObject({ kind: name });
});

test.each(['listed', 'proved', 'deleting'] as const)(
  'an old file that a slow writer commits at "%s" stays',
  async (at) => {
    const slow = await leak('slow');
    const lost = await leak('lost');
    lake.pass(4 * DAY);
    let id = 0n;
    await orphans({
      at: async (step) => {
        if (step === at && id === 0n) id = await commitFiles(lake, table, { files: [slow] });
      },
    });
    expect(await wordsOf(lake, await metadataOf(lake, table), id)).toEqual(['slow']);
    expect(await isThere(lost.filePath)).toBe(false);
  },
);

test('copies of a running move stay however old; when it was taken back they go', async () => {
  await appendWord(lake, table, 'a');
  await killedMove('copied');
  lake.pass(4 * DAY);
  const copies = (await allObjects(lake)).filter((one) => one.includes('/cold/'));
  expect(copies).not.toEqual([]);
  await orphans();
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(copies));
  await applyPlan(lake, { moves: [], kept: [], tables: [] });
  const leaked = copies[0]!.replace('.parquet', '-leaked.parquet');
  await lake.objects.put(leaked, Buffer.from('a'));
  lake.pass(4 * DAY);
  await orphans();
  expect(await isThere(leaked)).toBe(false);
  expect(Object.values(await everyWord(lake, table))).toContainEqual(['a']);
});

test('retired objects in their grace are left to the ledger', async () => {
  await appendWord(lake, table, 'a');
  lake.pass(10 * DAY);
  const before = await allObjects(lake);
  await applyPlan(lake, await planMoves(lake, movingPolicies(), ALL_AGED));
  await orphans();
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(before));
});

test('tables that share a folder are refused, whichever lies in the other', async () => {
  const { location } = await metadataOf(lake, table);
  await createWordsAt(lake, 'inside', `memory:${location.slice('memory:/'.length)}/inside`);
  const old = await leak('old');
  lake.pass(4 * DAY);
  const { refused, tables } = await orphans();
  expect(refused.map((one) => one.table).sort()).toEqual(['gold.facts', 'gold.inside']);
  expect(tables).toEqual([]);
  expect(await isThere(old.filePath)).toBe(true);
});

test('a file that another table names stays', async () => {
  const other = await createWords(lake, 'sharer');
  const shared = await leak('shared');
  const id = await commitFiles(lake, other, { files: [shared] });
  lake.pass(4 * DAY);
  await orphans({ tables: ['gold.facts'] });
  expect(await wordsOf(lake, await metadataOf(lake, other), id)).toEqual(['shared']);
});

test('what no table writer makes is named and stays', async () => {
  const { location } = await metadataOf(lake, table);
  await lake.objects.put(`${location}/data/notes.txt`, Buffer.from('mine'));
  lake.pass(4 * DAY);
  const report = await orphans();
  expect(report.tables).toMatchObject([{ files: 0, unknown: [`${location}/data/notes.txt`] }]);
  expect(await isThere(`${location}/data/notes.txt`)).toBe(true);
});

test('a table with a damaged manifest is refused; the others are done, and no folder of a forgotten table goes', async () => {
  await appendWord(lake, table, 'a');
  const { snapshots } = await metadataOf(lake, table);
  const [manifest] = await snapshotManifests(lake.objects, snapshots[0]!);
  const mine = await leak('mine');
  const other = await createWords(lake, 'other');
  const theirs = await writeWord(lake, await metadataOf(lake, other), 'theirs');
  const gone = await createWords(lake, 'gone');
  await appendWord(lake, gone, 'z');
  await forget(lake, gone);
  await lake.objects.put(manifest!.manifestPath, Buffer.from('no manifest'));
  lake.pass(4 * DAY);
  const { refused, dropped } = await orphans({ dropped: true });
  expect(refused).toMatchObject([{ table: 'gold.facts', kind: 'corrupt' }]);
  expect([await isThere(mine.filePath), await isThere(theirs.filePath)]).toEqual([true, false]);
  expect(dropped).toMatchObject([{ state: 'unproved' }]);
});

test('the folder of a table that was handed over is reported, and goes when asked for; a staged create that is young stays', async () => {
  const gone = await createWords(lake, 'gone');
  await appendWord(lake, gone, 'a');
  const { location } = await metadataOf(lake, gone);
  await forget(lake, gone);
  lake.pass(4 * DAY);
  const staged = `${location.replace(/-[0-9a-f-]{36}$/, '')}-${lake.clock.uuid()}`;
  await lake.objects.put(`${staged}/data/a.parquet`, Buffer.from('a'));
  const states = (await orphans()).dropped.map((one) => one.state).sort();
  expect(states).toEqual(['deletable', 'too-young']);
  expect(await isThere(`${staged}/data/a.parquet`)).toBe(true);
  const { dropped } = await orphans({ dropped: true });
  expect(dropped.find((one) => one.location === location)).toMatchObject({ state: 'deleted' });
  const left = await allObjects(lake);
  expect(left.filter((one) => one.startsWith(location))).toEqual([]);
  expect(left).toContain(`${staged}/data/a.parquet`);
});

test('a folder of a forgotten table that another table still reads from stays whole', async () => {
  const gone = await createWords(lake, 'gone');
  const file = await writeWord(lake, await metadataOf(lake, gone), 'shared');
  await commitFiles(lake, gone, { files: [file] });
  const id = await commitFiles(lake, table, { files: [file] });
  await forget(lake, gone);
  lake.pass(4 * DAY);
  const { dropped } = await orphans({ dropped: true });
  expect(dropped).toMatchObject([{ state: 'still-referenced' }]);
  expect(await wordsOf(lake, await metadataOf(lake, table), id)).toEqual(['shared']);
});
