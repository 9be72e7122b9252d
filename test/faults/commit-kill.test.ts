import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everything, leakedObjects, openMovingLake } from '../tiering/moving-lake.ts';
import { type KeptFolder, keptFolder } from './kept-folder.ts';
import { distinctPoints, endProcesses, killedAt, pointsOf, sampledPoints } from './processes.ts';
import {
  AT_COLD,
  COMMITS,
  type CommitName,
  fillTable,
  HOUR,
  leftByOrphanRemoval,
  tierApply,
} from './tiny-lake.ts';

let kept: KeptFolder;

beforeAll(async () => {
  kept = await keptFolder();
  const lake = await openMovingLake({ root: kept.folder });
  await fillTable(lake, 'moved');
  await lake.close();
  await kept.keep();
});
afterAll(async () => {
  await endProcesses();
  await kept.remove();
});

/** Of an append each point; of the others, whose steps are the same, each kind of step when it has been made. */
function chosenPoints(commit: CommitName, points: readonly string[]): string[] {
  const distinct = distinctPoints(points);
  return commit === 'append'
    ? distinct
    : sampledPoints(distinct).filter((point) => point.startsWith('after '));
}

/** Opens the lake as a later process finds it, and does something with it. */
async function later<T>(use: (lake: Awaited<ReturnType<typeof openMovingLake>>) => Promise<T>): Promise<T> {
  const lake = await openMovingLake({ root: kept.folder, aheadMs: HOUR });
  try {
    return await use(lake);
  } finally {
    await lake.close();
  }
}

describe.each(Object.keys(COMMITS) as CommitName[])(
  'SIGKILL at each step of the commit of an %s',
  (commit) => {
    it('leaves every snapshot and ref as before or as after; the change can be made again, and the table moves', {
      timeout: 600_000,
    }, async () => {
      await kept.goBack();
      const job = { root: kept.folder, work: { kind: 'commit', commit }, aheadMs: 0 } as const;
      const before = await later((lake) => everything(lake, 'moved'));
      const points = await pointsOf(job);
      const after = await later((lake) => everything(lake, 'moved'));
      expect(after['current']).not.toEqual(before['current']);
      for (const step of [
        'write of data or delete file',
        'put manifest',
        'put manifest list',
        'commit request',
        'put metadata file',
        'catalog transaction',
      ])
        expect(points).toContain(`after ${step} #1`);

      const chosen = chosenPoints(commit, points);
      for (const point of chosen) {
        await kept.goBack();
        await killedAt(job, point);
        // The pointer's transaction is what counts: nothing before it may be seen, all of it after it.
        const isApplied = points.indexOf(point) >= points.indexOf('after catalog transaction #1');
        await later(async (lake) => {
          expect(await everything(lake, 'moved'), `killed ${point}`).toEqual(isApplied ? after : before);
          if (!isApplied) await COMMITS[commit](lake, 'moved');
          // What a kill leaves does not depend on a later move: one move tells for all points.
          if (point === chosen.at(-1)) {
            await tierApply(lake, AT_COLD);
            lake.pass(2 * HOUR);
            await tierApply(lake, AT_COLD);
          }
          expect(await everything(lake, 'moved'), `made again or moved, killed ${point}`).toEqual(after);
          if (isApplied) expect(await leakedObjects(lake), `leaked, killed ${point}`).toEqual([]);
          expect(await leftByOrphanRemoval(lake), `orphans, killed ${point}`).toEqual([]);
        });
      }
    });
  },
);
