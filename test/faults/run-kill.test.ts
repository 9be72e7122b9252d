import { afterAll, beforeAll, expect, it } from 'vitest';
import { runPipeline } from '../../src/pipeline/run.ts';
import { parseTableName } from '../../src/table/table.ts';
import { createRef } from '../../src/table/tag.ts';
import { type KeptFolder, keptFolder } from './kept-folder.ts';
import { distinctPoints, endProcesses, killedAt, pointsOf, sampledPoints } from './processes.ts';
import { currentAnswers, historyAnswers, inProject, writeProject, writeSource } from './tiny-project.ts';

const NEW_FILE = { day: 3, rows: 9 };

let kept: KeptFolder;
let before: Record<string, string[]>;
let history: Record<string, string[]>;

beforeAll(async () => {
  kept = await keptFolder();
  await writeProject(kept.folder);
  await writeSource(kept.folder, '1.csv', { day: 1, rows: 12 });
  await inProject(kept.folder, async (lake, engine) => {
    await runPipeline(lake);
    await createRef(lake, parseTableName('silver.e'), { name: 'first' });
    before = await currentAnswers(lake, engine);
    history = await historyAnswers(lake, engine);
  });
  await writeSource(kept.folder, '2.csv', NEW_FILE);
  await kept.keep();
});
afterAll(async () => {
  await endProcesses();
  await kept.remove();
});

it('SIGKILL at the steps of a run leaves silver and gold as before or as after, and the next run ends it', {
  timeout: 600_000,
}, async () => {
  const job = { root: kept.folder, work: { kind: 'command', argv: ['run'] }, aheadMs: 0 } as const;
  const points = await pointsOf(job);
  const after = await inProject(kept.folder, currentAnswers);
  const request = points.indexOf('before commit request of several tables #1');
  const published = points.findIndex(
    (point, at) => at > request && point.startsWith('after catalog transaction'),
  );
  expect(request).toBeGreaterThan(0);
  expect(published).toBeGreaterThan(request);
  const made = (from: number, to?: number) =>
    sampledPoints(distinctPoints(points.slice(from, to))).filter((point) => point.startsWith('after '));
  // Each step of the publication; of the commits before and after it each kind of step when it has been made.
  const publication = distinctPoints(points.slice(request, published + 1));
  for (const point of [...made(0, request), ...publication, ...made(published + 1)]) {
    await kept.goBack();
    await killedAt(job, point);
    const isPublished = points.indexOf(point) >= published;
    await inProject(kept.folder, async (lake, engine) => {
      const left = await currentAnswers(lake, engine);
      for (const table of Object.keys(after)) {
        const [old = [], built] = [before[table], after[table]];
        const allowed = table.startsWith('bronze.') ? [old, built] : [isPublished ? built : old];
        expect(allowed, `${table}, killed ${point}`).toContainEqual(left[table]);
      }
      await runPipeline(lake);
      expect(await currentAnswers(lake, engine), `run again, killed ${point}`).toEqual(after);
      expect(await historyAnswers(lake, engine), `history, killed ${point}`).toMatchObject(history);
      const again = await runPipeline(lake);
      expect(
        again.models.map(({ status }) => status),
        `run twice, killed ${point}`,
      ).toEqual(again.models.map(() => 'unchanged'));
    });
  }
});
