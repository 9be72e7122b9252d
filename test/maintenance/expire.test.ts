import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Catalog, TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { LakeError } from '../../src/errors.ts';
import { type ExpireOptions, expireTables } from '../../src/maintenance/expire.ts';
import type { SnapshotRules } from '../../src/maintenance/snapshot-rules.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { createRef } from '../../src/table/tag.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { Journal } from '../../src/tiering/journal.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import type { TieredLake } from '../../src/tiering/tiering-context.ts';
import {
  allObjects,
  appendWord,
  commitFiles,
  createWords,
  DAY,
  everyWord,
  HOUR,
  type MemoryLake,
  metadataOf,
  movingPolicies,
  openMemoryLake,
  replaceWith,
  unreferenced,
  wordsOf,
  writeWord,
} from './memory-lake.ts';

const NEWEST_ONLY: SnapshotRules = { minToKeep: 1, maxAgeMs: 1, maxRefAgeMs: Number.POSITIVE_INFINITY };

let lake: MemoryLake;
let table: TableIdentifier;
beforeEach(async () => {
  lake = await openMemoryLake();
  table = await createWords(lake, 'facts');
});
afterEach(() => lake.close());

async function expire(options: ExpireOptions = {}, on: TieredLake = lake, tables = [table]) {
  const targets = [];
  for (const one of tables) {
    targets.push({ table: await lake.catalog.loadTable(one), rules: NEWEST_ONLY, policy: null });
  }
  return expireTables(on, targets, lake.clock.now() + DAY, options);
}

/** The files of data that are there. */
async function dataFiles(): Promise<string[]> {
  return (await allObjects(lake)).filter((location) => location.endsWith('.parquet'));
}

/** The lake through a catalog some of whose calls go another way. */
function through(over: Partial<Catalog>): TieredLake {
  const catalog = new Proxy(lake.catalog, {
    get(target, name) {
      const other: unknown = Reflect.get(over, name);
      const value: unknown = other ?? Reflect.get(target, name);
      return other === undefined && typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...lake, catalog };
}

test('what only old snapshots read goes, with their manifests and lists; what the rest reads stays', async () => {
  await appendWord(lake, table, 'a');
  await replaceWith(lake, table, 'b');
  const last = await appendWord(lake, table, 'c');
  const dry = await expire({ dryRun: true });
  expect(await dataFiles()).toHaveLength(3);
  const report = await expire();
  expect(report.tables).toMatchObject([
    { snapshots: expect.any(Array), refs: [], files: dry.tables[0]!.files },
  ]);
  expect(report.tables[0]!.bytes).toBe(dry.tables[0]!.bytes);
  expect(await everyWord(lake, table)).toEqual({ [String(last)]: ['b', 'c'] });
  expect(await dataFiles()).toHaveLength(2);
  expect((await unreferenced(lake)).filter((location) => !location.endsWith('.metadata.json'))).toEqual([]);
  expect(await expire()).toEqual({ tables: [], refused: [] });
});

test('a tag put on an old snapshot while the expiry is planned keeps it', async () => {
  const old = await appendWord(lake, table, 'a');
  await replaceWith(lake, table, 'b');
  let raced = false;
  await expire({
    at: async (step) => {
      if (step !== 'planned' || raced) return;
      raced = true;
      await createRef(lake, table, { name: 'keep', snapshotId: old });
    },
  });
  expect(raced).toBe(true);
  const metadata = await metadataOf(lake, table);
  expect(metadata.refs['keep']?.['snapshot-id']).toBe(old);
  expect(await wordsOf(lake, metadata, old)).toEqual(['a']);
});

test('a branch that a writer derived from a snapshot that is expired meanwhile is refused', async () => {
  const old = await appendWord(lake, table, 'a');
  const stale = await metadataOf(lake, table);
  await replaceWith(lake, table, 'b');
  await expire();
  const snapshot = {
    ...stale.snapshots[0]!,
    'snapshot-id': lake.clock.snapshotId(),
    'parent-snapshot-id': old,
    'sequence-number': 9,
  };
  const commit = lake.catalog.commitTable({
    identifier: table,
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'audit', 'snapshot-id': null }],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        action: 'set-snapshot-ref',
        'ref-name': 'audit',
        type: 'branch',
        'snapshot-id': snapshot['snapshot-id'],
      },
    ],
  });
  await expect(commit).rejects.toMatchObject({ kind: 'conflict' });
});

test.each(['committed', 'collected', 'proved', 'deleting'] as const)(
  'a commit that lands at "%s" keeps its files',
  async (at) => {
    await appendWord(lake, table, 'a');
    await replaceWith(lake, table, 'b');
    let id = 0n;
    await expire({
      at: async (step) => {
        if (step === at && id === 0n) id = await appendWord(lake, table, 'late');
      },
    });
    expect(await wordsOf(lake, await metadataOf(lake, table), id)).toEqual(['b', 'late']);
  },
);

test('a file that another table names too stays', async () => {
  const other = await createWords(lake, 'sharer');
  const shared = await writeWord(lake, await metadataOf(lake, table), 'shared');
  await commitFiles(lake, table, { files: [shared] });
  const theirs = await commitFiles(lake, other, { files: [shared] });
  await replaceWith(lake, table, 'b');
  await expire();
  expect(await wordsOf(lake, await metadataOf(lake, other), theirs)).toEqual(['shared']);
});

test('an answer that is lost: the commit is found, and the files go as if nothing had been', async () => {
  await appendWord(lake, table, 'a');
  const last = await replaceWith(lake, table, 'b');
  let lost = 0;
  const report = await expire(
    {},
    through({
      commitTable: async (commit) => {
        const done = await lake.catalog.commitTable(commit);
        if (lost++ === 0) throw new LakeError('unknown-outcome', 'connection reset');
        return done;
      },
    }),
  );
  expect(report.tables).toMatchObject([{ table: 'gold.facts' }]);
  expect(await everyWord(lake, table)).toEqual({ [String(last)]: ['b'] });
  expect(await dataFiles()).toHaveLength(1);
});

test('where it cannot be told whether the commit was applied, nothing is deleted', async () => {
  await appendWord(lake, table, 'a');
  await replaceWith(lake, table, 'b');
  const before = await allObjects(lake);
  let silent = false;
  const deaf = through({
    commitTable: async (commit) => {
      await lake.catalog.commitTable(commit);
      silent = true;
      throw new LakeError('unknown-outcome', 'time-out');
    },
    loadTable: async (identifier) => {
      if (silent) throw new LakeError('unavailable', 'no answer');
      return lake.catalog.loadTable(identifier);
    },
  });
  await expect(expire({}, deaf)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(before));
});

test('a table with a damaged manifest keeps all its files; the next one is done', async () => {
  const other = await createWords(lake, 'other');
  for (const one of [table, other]) {
    await appendWord(lake, one, 'a');
    await replaceWith(lake, one, 'b');
  }
  const { snapshots } = await metadataOf(lake, table);
  const [kept] = await snapshotManifests(lake.objects, snapshots.at(-1)!);
  const bytes = await lake.objects.get(kept!.manifestPath);
  await lake.objects.put(kept!.manifestPath, bytes.subarray(0, bytes.length - 20));
  const before = (await dataFiles()).filter((location) => location.includes('/facts-'));
  const report = await expire({}, lake, [table, other]);
  expect(report.refused).toMatchObject([{ table: 'gold.facts', kind: 'corrupt' }]);
  const after = await dataFiles();
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after.filter((location) => location.includes('/other-'))).toHaveLength(1);
});

test('a table whose lease another run keeps is left alone, in clear words', async () => {
  await appendWord(lake, table, 'a');
  await replaceWith(lake, table, 'b');
  const { 'table-uuid': uuid } = await metadataOf(lake, table);
  await new Journal(lake.catalog).acquireLease(uuid, 'another', 30 * DAY);
  const report = await expire();
  expect(report.refused).toMatchObject([
    { kind: 'conflict', reason: expect.stringContaining('being moved') },
  ]);
  expect(Object.keys(await everyWord(lake, table))).toHaveLength(2);
});

test('a table whose property gc.enabled is false is left alone', async () => {
  const kept = await createWords(lake, 'kept', { properties: { 'gc.enabled': 'false' } });
  await appendWord(lake, kept, 'a');
  await replaceWith(lake, kept, 'b');
  expect((await expire({}, lake, [kept])).refused).toMatchObject([{ kind: 'skipped' }]);
  expect(Object.keys(await everyWord(lake, kept))).toHaveLength(2);
});

test('a fence stays through its grace; when it has expired, a writer that knows old paths is still refused', async () => {
  const moved = await writeWord(lake, await metadataOf(lake, table), 'a');
  await commitFiles(lake, table, { files: [moved] });
  await applyPlan(lake, await planMoves(lake, movingPolicies(), Date.parse('2001-03-10T00:00Z')));
  const fence = (await metadataOf(lake, table))['current-snapshot-id']!;
  await replaceWith(lake, table, 'b');
  await expire();
  expect(Object.keys(await everyWord(lake, table))).toContain(String(fence));

  lake.pass(2 * HOUR);
  await applyPlan(lake, { moves: [], kept: [], tables: [] });
  await expire();
  const { snapshots } = await metadataOf(lake, table);
  expect(snapshots.map((one) => one['snapshot-id'])).not.toContain(fence);
  await expect(commitFiles(lake, table, { files: [moved] })).rejects.toMatchObject({ kind: 'conflict' });
});
