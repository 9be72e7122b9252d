import { afterAll, beforeAll, expect, it } from 'vitest';
import { RELOCATION_STEPS } from '../../src/tiering/protocol.ts';
import { tierStatus } from '../../src/tiering/status.ts';
import { tieringRun } from '../../src/tiering/tiering-context.ts';
import {
  append,
  everything,
  leakedObjects,
  type MovingLake,
  openMovingLake,
  remove,
  tag,
} from '../tiering/moving-lake.ts';
import { type KeptFolder, keptFolder } from './kept-folder.ts';
import { distinctPoints, endProcesses, killedAt, pointsOf, sampledPoints } from './processes.ts';
import { AT_COLD, AT_WARM, fillTable, HOUR, leftByOrphanRemoval, policies, tierApply } from './tiny-lake.ts';

let kept: KeptFolder;
/** What every snapshot and ref of a table that never moved answers. */
let twin: Record<string, string[]>;

beforeAll(async () => {
  kept = await keptFolder();
  const lake = await openMovingLake({ root: kept.folder });
  for (const name of ['twin', 'moved']) await fillTable(lake, name);
  await tierApply(lake, AT_WARM);
  for (const name of ['twin', 'moved']) {
    await remove(lake, name, 'id % 10 = 7');
    await append(lake, name, 100, 6, 'evolved');
    await tag(lake, name, 'february');
  }
  twin = await everything(lake, 'twin');
  await lake.close();
  await kept.keep();
});
afterAll(async () => {
  await endProcesses();
  await kept.remove();
});

/** By its clock the first move's grace has passed. */
const JOB = { work: { kind: 'move' }, aheadMs: 3 * HOUR } as const;

async function tiers(lake: MovingLake): Promise<string[]> {
  const rows = await tierStatus(lake, policies(), AT_COLD);
  return rows.filter((row) => row.table === 'gold.moved').map((row) => `${row.partition} ${row.tier}`);
}

/** What nothing names, but for metadata files of swaps that were not made: `lake orphans` takes these. */
const leakedFiles = async (lake: MovingLake) =>
  (await leakedObjects(lake)).filter((location) => !/\.metadata\.json\.lake-\d+-\d+\.tmp$/.test(location));

/**
 * After each step; in the midst of each step that makes files; and with the swap's metadata file made, its transaction not. Where a file has been made, a step
 * has ended or the next file is under way.
 */
function chosenPoints(points: readonly string[]): string[] {
  const isStep = (point: string) => point.startsWith('after step ');
  const others = sampledPoints(distinctPoints(points.filter((point) => !isStep(point))));
  return [
    ...RELOCATION_STEPS.map((step) => `after step ${step} #1`),
    ...others.filter((point) => !point.startsWith('after ') || point.startsWith('after put metadata file ')),
  ];
}

it('SIGKILL at each step of a move changes no answer; the next apply ends it, and nothing is left over', {
  timeout: 600_000,
}, async () => {
  const job = { ...JOB, root: kept.folder };
  const points = await pointsOf(job);
  for (const step of RELOCATION_STEPS) expect(points).toContain(`after step ${step} #1`);
  for (const point of chosenPoints(points)) {
    await kept.goBack();
    await killedAt(job, point);
    // By this clock the lease of the killed process has run out.
    const lake = await openMovingLake({ root: kept.folder, aheadMs: 4 * HOUR });
    try {
      expect(await everything(lake, 'moved'), `killed ${point}`).toEqual(twin);
      await tierApply(lake, AT_COLD);
      expect(await tiers(lake), `killed ${point}`).toEqual([
        'ts_day=2001-01-01 cold',
        'ts_day=2001-01-02 cold',
        'ts_day=2001-01-03 warm',
        'ts_day=2001-01-04 warm',
      ]);
      lake.pass(2 * HOUR);
      const { ledger } = await tierApply(lake, AT_COLD);
      expect(ledger, `ledger, killed ${point}`).toMatchObject({ waiting: 0, stillNamed: [] });
      const { journal } = tieringRun(lake);
      for (const open of ['copying', 'swapped'] as const)
        expect(await journal.relocationsIn(open), `journal, killed ${point}`).toEqual([]);
      expect(await leakedFiles(lake), `leaks, killed ${point}`).toEqual([]);
      expect(await leftByOrphanRemoval(lake), `orphans, killed ${point}`).toEqual([]);
      expect(await everything(lake, 'moved'), `ended, killed ${point}`).toEqual(twin);
    } finally {
      await lake.close();
    }
  }
});
