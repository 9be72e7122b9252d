import { afterEach, beforeEach, expect, test } from 'vitest';
import { isKind } from '../../src/errors.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { bringBack, checkBringBack } from '../../src/tiering/bring-back.ts';
import { moveHistory } from '../../src/tiering/move-history.ts';
import { isChosen, parsePartitionChoice } from '../../src/tiering/partition-choice.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import { planRestore } from '../../src/tiering/restore.ts';
import { tierStatus } from '../../src/tiering/status.ts';
import { planUndo } from '../../src/tiering/undo.ts';
import {
  allObjects,
  append,
  createTable,
  everything,
  leakedObjects,
  type MovingLake,
  nameOf,
  openMovingLake,
  remove,
  tag,
} from './moving-lake.ts';

const HOUR = 3_600_000;
/** All days are aged for warm, days 1 and 2 for cold. */
const AT_COLD = Date.parse('2001-03-04T00:00:00Z');
const NOTHING = { moves: [], kept: [], tables: [] };

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

function policies() {
  const text = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.moved"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

async function fill(name: string): Promise<void> {
  await createTable(lake, name);
  await append(lake, name, 0, 16);
  await append(lake, name, 16, 8);
  await remove(lake, name, 'id % 5 = 3');
  await tag(lake, name, 'january');
}

const plan = () => planMoves(lake, policies(), AT_COLD);

async function tiersOf(): Promise<Record<string, string>> {
  const rows = await tierStatus(lake, policies(), AT_COLD);
  const moved = rows.filter((row) => row.table === 'gold.moved');
  return Object.fromEntries(moved.map((row) => [row.partition.slice(-2), row.tier]));
}

/** All old objects go: what is read afterwards is read from the new ones. */
async function passGrace(): Promise<void> {
  lake.pass(2 * HOUR);
  expect((await applyPlan(lake, NOTHING)).ledger).toMatchObject({ waiting: 0, stillNamed: [] });
  expect(await leakedObjects(lake)).toEqual([]);
}

test('restore and undo: every snapshot and tag as in a twin that never moved, pinned, and told by the history', async () => {
  for (const name of ['twin', 'moved']) await fill(name);
  await applyPlan(lake, await plan());
  await passGrace();
  const used = new Set(await allObjects(lake));
  const table = await lake.catalog.loadTable(nameOf('moved'));
  const partitions = parsePartitionChoice('2001-01-02..2001-01-03');
  const restore = await planRestore(lake, { table, partitions, to: 'hot', graceMs: HOUR });
  const until = lake.clock.now() + 24 * HOUR;
  expect(await bringBack(lake, restore, until)).toMatchObject({ state: 'swapped' });
  expect(await tiersOf()).toEqual({ '01': 'cold', '02': 'hot', '03': 'hot', '04': 'warm' });
  for (const name of ['twin', 'moved']) await remove(lake, name, 'id % 5 = 1');
  await passGrace();
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  expect(
    (await allObjects(lake)).filter((one) => /\/hot\/.*\/2001.*parquet/.test(one) && used.has(one)),
  ).toEqual([]);

  // The policies leave it there until the pin ends, and take it up again then.
  const pinned = await plan();
  expect(pinned.moves).toEqual([]);
  expect(pinned.kept.filter(({ reason }) => reason.includes('stays until'))).toHaveLength(2);
  const later = await planMoves(lake, policies(), until + 1);
  expect(later.moves.map((move) => [move.partition.slice(-2), move.from, move.to])).toEqual([
    ['02', 'hot', 'cold'],
    ['03', 'hot', 'cold'],
    ['04', 'warm', 'cold'],
  ]);

  // Undoing the restore takes the files back to where they were, and ends its pin.
  const undo = await planUndo(lake);
  expect(undo).toMatchObject({ gone: [], pinned: [] });
  await bringBack(lake, undo, until);
  expect(await tiersOf()).toEqual({ '01': 'cold', '02': 'cold', '03': 'warm', '04': 'warm' });
  await passGrace();
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  expect(Object.keys(metadata.properties).filter((key) => key.startsWith('lake.restore.'))).toEqual([]);
  expect((await plan()).moves).toEqual([]);

  const history = await moveHistory(lake, { limit: 2 });
  expect(history).toMatchObject([
    {
      command: 'undo',
      state: 'finished',
      retired_waiting: 0,
      files: restore.moves.reduce((n, m) => n + m.files, 0),
    },
    { command: 'restore', reason: 'restore 2001-01-02..2001-01-03 to hot' },
  ]);
  expect(history[1]?.moves).toMatchObject([
    { from: 'cold', to: 'hot', partitions: 1, first: 'ts_day=2001-01-02', last: 'ts_day=2001-01-02' },
    { from: 'warm', to: 'hot', partitions: 1 },
  ]);
});

test('an undo leaves out files that are gone and says which; with none left it is stale', async () => {
  await fill('moved');
  await applyPlan(lake, await plan());
  const first = await planUndo(lake);
  expect(first.gone).toEqual([]);
  await bringBack(lake, first, lake.clock.now() + HOUR);
  const relocation = first.relocation['relocation-id'];
  await expect(planUndo(lake, relocation)).rejects.toMatchObject({ kind: 'stale-plan' });
  await expect(planUndo(lake, 'nope')).rejects.toMatchObject({ kind: 'not-found' });
});

test('a plan file stays good while data is appended, and is refused as a whole once a planned file is gone', async () => {
  await fill('moved');
  const planned = await plan();
  await append(lake, 'moved', 100, 4);
  const report = await applyPlan(lake, planned);
  expect(report.relocations).toMatchObject([
    { state: 'swapped', files: planned.moves.reduce((n, m) => n + m.files, 0) },
  ]);
  // The same plan again: all of it was done.
  expect((await applyPlan(lake, planned)).relocations).toMatchObject([{ state: 'already-done' }]);

  const stale = await plan();
  expect(stale.moves.length).toBeGreaterThan(0);
  const before = await allObjects(lake);
  const [move] = stale.moves;
  const broken = { ...move!, paths: [...move!.paths.slice(1), `${move!.paths[0]}-gone`] };
  await expect(applyPlan(lake, { ...stale, moves: [...stale.moves.slice(1), broken] })).rejects.toMatchObject(
    {
      kind: 'stale-plan',
      message: expect.stringContaining('planned files are gone'),
    },
  );
  const foreign = stale.tables.map((one) => ({ ...one, uuid: lake.clock.uuid() }));
  await expect(applyPlan(lake, { ...stale, tables: foreign })).rejects.toMatchObject({ kind: 'stale-plan' });
  expect(await allObjects(lake)).toEqual(before);
});

test('a rolled-back move is not looked at for ever', async () => {
  await fill('moved');
  const at = async (step: string) => {
    if (step === 'begun') throw new Error('crash');
  };
  const faults = { at };
  await expect(applyPlan(lake, await plan(), { faults })).rejects.toThrow('crash');
  lake.pass(HOUR);
  expect((await applyPlan(lake, NOTHING)).resumed).toMatchObject([{ state: 'rolled-back' }]);
  expect((await moveHistory(lake))[0]).toMatchObject({ state: 'rolled-back', swapped: null });
  lake.pass(25 * HOUR);
  await applyPlan(lake, NOTHING);
  expect((await moveHistory(lake))[0]).toMatchObject({ state: 'cleaned', swapped: null, grace_ends: null });
});

test.each([
  ['2001-01-05..2001-01-31', 'day=2001-01-31', true],
  ['2001-01-05..2001-01-31', 'day=2001-02-01', false],
  ['day=2001-01-05', 'day=2001-01-05/x=1', true],
  ['day=2001-01-05/x=1..day=2001-01-05/x=3', 'day=2001-01-05/x=2', true],
  ['9..10', 'n=10', true],
  ['9..10', 'n=1', false],
  ['*', '', true],
  ['2001-01-05', '', false],
])('the choice %s takes %j: %s', (choice, partition, taken) => {
  expect(isChosen(parsePartitionChoice(choice), partition)).toBe(taken);
});

test('a check before a restore tells what the restore itself would: gc.enabled=false, staged work, files that went', async () => {
  await fill('moved');
  await applyPlan(lake, await plan());
  const restoring = async () => {
    const table = await lake.catalog.loadTable(nameOf('moved'));
    return planRestore(lake, { table, partitions: parsePartitionChoice('*'), to: 'hot', graceMs: HOUR });
  };
  await checkBringBack(lake, await restoring());
  const objects = await allObjects(lake);
  for (const value of ['false', 'true']) {
    await lake.catalog.commitTable({
      identifier: nameOf('moved'),
      requirements: [],
      updates: [{ action: 'set-properties', updates: { 'gc.enabled': value } }],
    });
    const checked = checkBringBack(lake, await restoring()).then(
      () => 'nothing',
      (error: unknown) => (isKind(error, 'unsupported') ? error.message : error),
    );
    expect(await checked).toEqual(
      value === 'true' ? 'nothing' : expect.stringContaining('gc.enabled is false'),
    );
  }
  const before = await restoring();
  const moves = before.moves.map((move) => ({ ...move, paths: move.paths.map((path) => `${path}x`) }));
  await expect(checkBringBack(lake, { ...before, moves })).rejects.toMatchObject({ kind: 'stale-plan' });
  expect((await allObjects(lake)).filter((one) => !one.endsWith('.json'))).toEqual(
    objects.filter((one) => !one.endsWith('.json')),
  );
});

test('a plan of this moment moves what is still there; one that people have looked at is refused', async () => {
  await fill('moved');
  const made = await plan();
  const [first] = made.moves;
  const broken = {
    ...made,
    moves: made.moves.map((move) => ({ ...move, paths: [...move.paths, `${first!.paths[0]}x`] })),
  };
  await expect(applyPlan(lake, broken)).rejects.toMatchObject({ kind: 'stale-plan' });
  const before = await everything(lake, 'moved');
  const { relocations } = await applyPlan(lake, broken, { leaveOutGone: true });
  const planned = made.moves.reduce((sum, { files }) => sum + files, 0);
  expect(relocations).toMatchObject([{ state: 'swapped', files: planned }]);
  expect(await everything(lake, 'moved')).toEqual(before);
});

test('a move that others overtake reads again only what came since, and goes through', async () => {
  const read = async (name: string, overtakings: number): Promise<number> => {
    await createTable(lake, name);
    for (let i = 0; i < 8; i++) await append(lake, name, i * 4, 4);
    let gets = 0;
    const objects = new Proxy(lake.objects, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (key === 'get') gets++;
          return value.apply(target, args);
        };
      },
    });
    const text = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.${name}"] }, grace: 1h, age: { from: partition }, transitions: [ { to: warm, after: 30d } ] }
`;
    const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
    if ('problems' in loaded) throw new Error('the policy was refused');
    const made = await planMoves(lake, loaded.set, AT_COLD);
    let left = overtakings;
    let first = 0;
    let last = 0;
    const at = async (step: string) => {
      if (step === 'fences-written') {
        if (left === overtakings) first = gets;
        last = gets;
        if (left-- > 0) await append(lake, name, 100 + left * 4, 4);
      }
    };
    const { relocations } = await applyPlan({ ...lake, objects }, made, { faults: { at } });
    expect(relocations).toMatchObject([{ state: 'swapped', files: 32 }]);
    return last - first;
  };
  expect(await read('alone', 0)).toBe(0);
  // Of each commit that came: its list and its manifest.
  expect(await read('overtaken', 5)).toBeLessThanOrEqual(5 * 2);
});
