import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { runPipeline } from '../../src/pipeline/run.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { readPolicies } from '../../src/tiering/policy-files.ts';
import type { RelocationStep } from '../../src/tiering/protocol.ts';
import { type KeptFolder, keptFolder } from '../faults/kept-folder.ts';
import { inProject, writeProject, writeSource } from '../faults/tiny-project.ts';
import { lake } from './recorded-terminal.ts';

const NOW = '2001-07-01';

let kept: KeptFolder;
beforeAll(async () => {
  kept = await keptFolder();
  await writeProject(kept.folder);
  await writeSource(kept.folder, '1.csv', { day: 1, rows: 6 });
  await inProject(kept.folder, (open) => runPipeline(open));
  await kept.keep();
});
beforeEach(() => kept.goBack());
afterAll(() => kept.remove());

/** Moves what the policies say, up to a step, and ends there. */
async function interruptAt(last: RelocationStep): Promise<void> {
  await inProject(kept.folder, async (open) => {
    const plan = await planMoves(open, await readPolicies(open.config), Date.parse(NOW));
    const at = async (step: RelocationStep) => {
      if (step === last) throw new Error('interrupted');
    };
    await expect(applyPlan(open, plan, { faults: { at } })).rejects.toThrow('interrupted');
  });
}

/** By this clock the lease of what was interrupted has run out. */
const LATER = { ...systemClock, now: () => systemClock.now() + 60_000 };

const apply = (...argv: string[]) =>
  lake(kept.folder, [...argv, 'tier', 'apply', '--now', NOW], { clock: LATER });

it('an interrupted move that is finished stands in the report, as text and as JSON', async () => {
  await interruptAt('journaled');
  const { code, stdout } = await apply('--yes', '--output', 'json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    resumed: [{ table: 'silver.e', state: 'swapped', files: 3 }],
    relocations: [],
  });

  await kept.goBack();
  await interruptAt('journaled');
  const text = await apply('--yes');
  expect(text.stdout).toMatch(/^silver\.e: an interrupted move was finished: 3 files, /);
  expect(text.stdout).not.toContain('Nothing to move');
});

it('one that is rolled back is told before the new plan is asked about, and its files are moved anew', async () => {
  await interruptAt('begun');
  const declined = await apply();
  expect(declined.code).not.toBe(0);
  expect(declined.stderr).toContain('silver.e: an interrupted move was rolled back');

  await kept.goBack();
  await interruptAt('begun');
  const { code, stdout } = await apply('--yes', '--output', 'json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    resumed: [{ table: 'silver.e', state: 'rolled-back', files: 0 }],
    relocations: [{ table: 'silver.e', state: 'swapped', files: 3 }],
  });
});
