import { afterEach, beforeEach, expect, test } from 'vitest';
import { LakeError } from '../../src/errors.ts';
import { MAIN_BRANCH } from '../../src/iceberg/refs.ts';
import { currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { appendSelect } from '../../src/table/append.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import { FENCE_PROPERTY, RELOCATION_STEPS, type RelocationStep } from '../../src/tiering/protocol.ts';
import { resumeRelocations } from '../../src/tiering/resume.ts';
import { tierStatus } from '../../src/tiering/status.ts';
import { tieringRun } from '../../src/tiering/tiering-context.ts';
import {
  allObjects,
  append,
  createTable,
  everything,
  evolve,
  leakedObjects,
  type MovingLake,
  nameOf,
  openMovingLake,
  remove,
  tag,
} from './moving-lake.ts';

const HOUR = 3_600_000;
/** Days 1 and 2 are aged for warm then. */
const AT_WARM = Date.parse('2001-02-02T00:00:00Z');
/** All days are aged for warm, days 1 and 2 for cold. */
const AT_COLD = Date.parse('2001-03-04T00:00:00Z');

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

function policies(table: string) {
  const text = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.${table}"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

async function moveAt(nowMs: number, table = 'moved') {
  return applyPlan(lake, await planMoves(lake, policies(table), nowMs));
}

/** Position deletes over several files of a day, a tag, a branch, an evolved schema, a day that went as a whole. */
async function firstHalf(name: string): Promise<void> {
  await createTable(lake, name);
  await append(lake, name, 0, 40);
  await append(lake, name, 40, 40);
  await remove(lake, name, 'id % 10 = 3');
  await tag(lake, name, 'january');
  await tag(lake, name, 'audit', 'branch');
  await evolve(lake, name);
  await append(lake, name, 80, 20, 'evolved');
}

async function secondHalf(name: string): Promise<void> {
  await remove(lake, name, 'id % 10 = 7');
  await append(lake, name, 100, 12, 'evolved');
  await tag(lake, name, 'february');
}

async function tiersOf(name: string): Promise<Record<string, string>> {
  const rows = await tierStatus(lake, policies('moved'), AT_COLD);
  return Object.fromEntries(
    rows.filter((row) => row.table === `gold.${name}`).map((row) => [row.partition, row.tier]),
  );
}

test('after two moves in a row, old objects deleted, every snapshot and ref reads as a twin that never moved', async () => {
  for (const name of ['twin', 'moved']) await firstHalf(name);
  const first = await moveAt(AT_WARM);
  expect(first.relocations).toMatchObject([{ state: 'swapped', table: 'gold.moved' }]);
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  for (const name of ['twin', 'moved']) await secondHalf(name);
  lake.pass(2 * HOUR);
  const second = await moveAt(AT_COLD);
  expect(second.ledger.deleted).toBeGreaterThan(0);
  lake.pass(2 * HOUR);
  const swept = await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(swept.ledger).toMatchObject({ stillNamed: [], waiting: 0 });

  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  expect(await leakedObjects(lake)).toEqual([]);
  expect(await tiersOf('moved')).toEqual({
    'ts_day=2001-01-01': 'cold',
    'ts_day=2001-01-02': 'cold',
    'ts_day=2001-01-03': 'warm',
    'ts_day=2001-01-04': 'warm',
  });
  const inHot = (await allObjects(lake)).filter((one) => /\/hot\/gold\/moved-.*\.parquet$/.test(one));
  expect(inHot.filter((one) => /2001-01-0[12]/.test(one))).toEqual([]);
  expect((await planMoves(lake, policies('moved'), AT_COLD)).moves).toEqual([]);
});

test('old objects stay through the grace and go after it', async () => {
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 8);
  const before = await allObjects(lake);
  const { ledger } = await moveAt(AT_COLD);
  expect(ledger).toMatchObject({ deleted: 0 });
  expect(ledger.waiting).toBeGreaterThan(0);
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(before));
  lake.pass(HOUR + 60_000);
  const after = await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(after.ledger.deleted).toBe(ledger.waiting);
  expect(await leakedObjects(lake)).toEqual([]);
});

test('objects that a second move retired keep their grace when the first move is cleaned up', async () => {
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 8);
  await moveAt(AT_WARM);
  await moveAt(AT_COLD);
  const before = await allObjects(lake);
  const { ledger } = await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(ledger.deleted).toBe(0);
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(before));
});

test('a run whose lease ran out neither rolls back nor deletes: the next run goes on from its copies', async () => {
  for (const name of ['twin', 'moved']) await firstHalf(name);
  const plan = await planMoves(lake, policies('moved'), AT_COLD);
  const at = async (reached: RelocationStep) => {
    if (reached !== 'copied') return;
    lake.pass(HOUR);
    throw new LakeError('unavailable', 'the store did not answer');
  };
  await expect(applyPlan(lake, plan, { faults: { at } })).rejects.toMatchObject({ kind: 'unavailable' });
  const copies = (await allObjects(lake)).filter((one) => /\/cold\/.*\.parquet$/.test(one));
  expect(copies.length).toBeGreaterThan(0);
  const { resumed } = await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(resumed).toMatchObject([{ table: 'gold.moved', state: 'swapped' }]);
  expect(await allObjects(lake)).toEqual(expect.arrayContaining(copies));
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
});

class Crash extends Error {}

test.each(RELOCATION_STEPS)(
  'a crash after "%s": readers see all or nothing, and the next run finishes',
  async (step) => {
    for (const name of ['twin', 'moved']) await firstHalf(name);
    const plan = await planMoves(lake, policies('moved'), AT_COLD);
    const at = async (reached: RelocationStep) => {
      if (reached === step) throw new Crash(step);
    };
    await expect(applyPlan(lake, plan, { faults: { at } })).rejects.toThrow(Crash);
    const twin = await everything(lake, 'twin');
    expect(await everything(lake, 'moved')).toEqual(twin);

    // Another commit lands before anyone resumes.
    for (const name of ['twin', 'moved']) await remove(lake, name, 'id = 5');
    await resumeRelocations(tieringRun(lake));
    await moveAt(AT_COLD);
    expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
    lake.pass(2 * HOUR);
    await applyPlan(lake, { moves: [], kept: [], tables: [] });
    expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
    expect(await leakedObjects(lake)).toEqual([]);
    expect(new Set(Object.values(await tiersOf('moved')))).toEqual(new Set(['warm', 'cold']));
  },
);

test('a run that is alive and moves one table does not keep others from moving theirs', async () => {
  for (const name of ['twin', 'moved']) await firstHalf(name);
  const plan = await planMoves(lake, policies('moved'), AT_COLD);
  const at = async (reached: RelocationStep) => {
    if (reached === 'copied') throw new Crash(reached);
  };
  await expect(applyPlan(lake, plan, { faults: { at } })).rejects.toThrow(Crash);
  const [relocation] = await tieringRun(lake).journal.relocationsIn('copying');
  const uuid = relocation?.['table-uuid'] ?? '';
  lake.pass(HOUR);
  const { journal } = tieringRun(lake);
  const alive = await journal.acquireLease(uuid, 'another run', 24 * HOUR);
  const warnings: string[] = [];
  const other = await planMoves(lake, policies('twin'), AT_COLD);
  const report = await applyPlan(lake, other, { warn: (text) => warnings.push(text) });
  expect(report.relocations).toMatchObject([{ table: 'gold.twin', state: 'swapped' }]);
  expect(report.resumed).toEqual([]);
  expect(warnings.join()).toContain('another run is moving files of gold.moved');
  await journal.releaseLease(alive['lease-id']);
  const { resumed } = await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(resumed).toMatchObject([{ table: 'gold.moved', state: 'swapped' }]);
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
});

test('commits that come first are taken in: new deletes on moving files, new snapshots', async () => {
  for (const name of ['twin', 'moved']) await firstHalf(name);
  const plan = await planMoves(lake, policies('moved'), AT_COLD);
  let raced = 0;
  const at = async (reached: RelocationStep) => {
    if (reached !== 'fences-written' || raced++ >= 2) return;
    await remove(lake, 'moved', `id = ${20 + raced}`);
    await append(lake, 'moved', 200 + raced, 1, 'evolved');
  };
  await applyPlan(lake, plan, { faults: { at } });
  for (const round of [1, 2]) {
    await remove(lake, 'twin', `id = ${20 + round}`);
    await append(lake, 'twin', 200 + round, 1, 'evolved');
  }
  expect(raced).toBe(3);
  lake.pass(2 * HOUR);
  await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  expect(await leakedObjects(lake)).toEqual([]);
});

test('a writer that planned before the move is fenced, by its requirement and by the retired paths', async () => {
  await firstHalf('moved');
  const before = await lake.catalog.loadTable(nameOf('moved'));
  const head = currentSnapshot(before.metadata)!;
  await moveAt(AT_COLD);
  const after = await lake.catalog.loadTable(nameOf('moved'));
  const sequence = after.metadata['last-sequence-number'] + 1;
  const stale = (parent: bigint) => ({
    action: 'add-snapshot' as const,
    snapshot: {
      ...head,
      'snapshot-id': lake.clock.snapshotId(),
      'parent-snapshot-id': parent,
      'sequence-number': sequence,
      'timestamp-ms': lake.clock.now(),
    },
  });
  const requirement = {
    type: 'assert-ref-snapshot-id' as const,
    ref: MAIN_BRANCH,
    'snapshot-id': head['snapshot-id'],
  };
  const identifier = nameOf('moved');
  await expect(
    lake.catalog.commitTable({
      identifier,
      requirements: [requirement],
      updates: [stale(head['snapshot-id'])],
    }),
  ).rejects.toMatchObject({ kind: 'conflict' });
  const fence = currentSnapshot(after.metadata)!;
  expect(fence.summary).toMatchObject({ operation: 'replace', [FENCE_PROPERTY]: expect.any(String) });
  // Its old manifest list names manifests that the move replaced: a blind commit is refused too.
  await expect(
    lake.catalog.commitTable({ identifier, requirements: [], updates: [stale(fence['snapshot-id'])] }),
  ).rejects.toMatchObject({ kind: 'conflict' });
});

test('every branch gets its fence, and a fence on a side branch does not renew its age', async () => {
  await firstHalf('moved');
  const before = await lake.catalog.loadTable(nameOf('moved'));
  await moveAt(AT_COLD);
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  const of = (id: bigint | undefined, among = metadata) =>
    among.snapshots.find((one) => one['snapshot-id'] === id)!;
  const audit = of(metadata.refs['audit']?.['snapshot-id']);
  const auditBefore = of(before.metadata.refs['audit']?.['snapshot-id'], before.metadata);
  expect(audit['parent-snapshot-id']).toBe(auditBefore['snapshot-id']);
  expect(audit['timestamp-ms']).toBe(auditBefore['timestamp-ms']);
  expect(metadata.refs['january']).toEqual(before.metadata.refs['january']);
  expect(of(metadata.refs['main']?.['snapshot-id'])['parent-snapshot-id']).toBe(
    before.metadata.refs['main']?.['snapshot-id'],
  );
});

test('staged work on a branch makes a table wait, and the plan says so', async () => {
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 8);
  const plan = await planMoves(lake, policies('moved'), AT_COLD);
  await tag(lake, 'moved', 'run_1', 'branch');
  const sql = "SELECT 99::INT AS id, TIMESTAMPTZ '2001-01-01 00:00:00+00' AS ts, 'x' AS note";
  await appendSelect(lake, lake.engine, nameOf('moved'), { sql, branch: 'run_1' });
  const replanned = await planMoves(lake, policies('moved'), AT_COLD);
  expect(replanned.moves).toEqual([]);
  expect(replanned.kept[0]?.reason).toContain('"run_1" holds staged work');
  const report = await applyPlan(lake, plan);
  expect(report.refused).toMatchObject([{ table: 'gold.moved' }]);
});
