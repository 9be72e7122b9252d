/** A process that reads a job from its standard input, does it and is killed at one of its points; else it prints the points passed. */
import { text } from 'node:stream/consumers';
import { openMovingLake } from '../tiering/moving-lake.ts';
import { armKillPoints, type KillPoints } from './kill-points.ts';
import { AT_COLD, COMMITS, doCommand, type Job, tierApply } from './tiny-lake.ts';

async function doJob({ root, work, aheadMs, killAt }: Job): Promise<KillPoints> {
  if (work.kind === 'command') {
    const points = armKillPoints(killAt);
    await doCommand(root, work.argv);
    return points;
  }
  const lake = await openMovingLake({ root, aheadMs });
  const points = armKillPoints(killAt);
  if (work.kind === 'commit') await COMMITS[work.commit](lake, 'moved');
  else await tierApply(lake, AT_COLD, (step) => points.pass(`step ${step}`));
  await lake.close();
  return points;
}

const { passed } = await doJob(JSON.parse(await text(process.stdin)));
process.stdout.write(JSON.stringify(passed));
