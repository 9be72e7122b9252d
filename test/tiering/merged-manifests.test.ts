import { afterEach, beforeEach, expect, test } from 'vitest';
import { currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import {
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
const POLICY = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.moved"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

async function moveAt(time: string): Promise<void> {
  const loaded = loadPolicies([{ file: 'p.yaml', text: POLICY }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  const done = await applyPlan(lake, await planMoves(lake, loaded.set, Date.parse(time)));
  expect(done.relocations).toMatchObject([{ state: 'swapped' }]);
}

async function manifestsOf(name: string) {
  const { metadata } = await lake.catalog.loadTable(nameOf(name));
  return snapshotManifests(lake.objects, currentSnapshot(metadata)!);
}

/** Appends and deletes under which manifests are merged again and again. */
async function changes(name: string, first: number): Promise<void> {
  for (let batch = 0; batch < 3; batch++) await append(lake, name, first + batch * 10, 10);
  await remove(lake, name, 'id % 10 = 3');
  await append(lake, name, first + 30, 8);
  await remove(lake, name, 'id % 10 = 7');
}

test('a table with merged manifests moves, and merges what has moved: every snapshot reads as a twin that never did', async () => {
  for (const name of ['twin', 'moved']) {
    await createTable(lake, name);
    await lake.catalog.commitTable({
      identifier: nameOf(name),
      requirements: [],
      updates: [
        {
          action: 'set-properties',
          updates: {
            'commit.manifest.min-count-to-merge': '2',
            'commit.manifest-merge.enabled': String(name === 'moved'),
          },
        },
      ],
    });
    await changes(name, 0);
    await tag(lake, name, 'january');
  }
  expect((await manifestsOf('moved')).length).toBeLessThan((await manifestsOf('twin')).length);
  await moveAt('2001-02-02T00:00:00Z');
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));

  // The catalog refuses a commit whose manifests name a path that has moved: these merge entries of new paths only.
  for (const name of ['twin', 'moved']) await changes(name, 100);
  await moveAt('2001-03-04T00:00:00Z');
  lake.pass(2 * HOUR);
  await applyPlan(lake, { moves: [], kept: [], tables: [] });
  for (const name of ['twin', 'moved']) await changes(name, 200);
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  expect(await leakedObjects(lake)).toEqual([]);
});
