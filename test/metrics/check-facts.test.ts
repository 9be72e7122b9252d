import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LakeReader } from '../../src/metrics/lake-facts.ts';
import type { CheckResult } from '../../src/pipeline/checks.ts';
import { recordRun } from '../../src/pipeline/run-log.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import { type EventsProject, inEventsProject } from '../pipeline/events-project.ts';

const NOT_NULL = 'v is not null';
const ALIKE = 'rows / rows of bronze.e >= 0';
const yml = (checks: string) =>
  `version: 1\nmaterialisation: replace_partitions\npartition_by: [day(ts)]\n${checks}`;
const BOTH = yml('checks: [{ not_null: [v] }, { row_count_ratio: { to: bronze.e, min: 0 } }]\n');
const HISTORY = {
  'models/silver/h.sql': 'SELECT v AS k, ts FROM bronze.e',
  'models/silver/h.yml': 'version: 1\nmaterialisation: scd2\nkey: [k]\nscd2: { effective_at: ts }\n',
};

const result = (
  kind: CheckResult['kind'],
  rule: string,
  passed: boolean,
  model = 'silver.e',
): CheckResult => ({
  ...{ model, kind, rule, passed, severity: 'error', failures: passed ? 0 : 1, samples: [] },
});
const notNull = (passed: boolean) => result('not_null', NOT_NULL, passed);
const alike = (passed: boolean) => result('row_count_ratio', ALIKE, passed);

/** Records runs, an hour each from 2001 on. */
async function record({ lake }: EventsProject, from: number, ...runs: readonly (readonly CheckResult[])[]) {
  const engine = await openLakeEngine(lake);
  try {
    for (const [i, checks] of runs.entries()) {
      const startedMs = Date.UTC(2001, 0, 1, from + i);
      const outcome = { command: 'run', status: 'published', models: 1, rows: 0, message: null } as const;
      await recordRun(lake, engine, {
        ...outcome,
        runId: `r${from + i}`,
        startedMs,
        endedMs: startedMs,
        checks,
      });
    }
  } finally {
    await engine.close();
  }
}

const failing = async (reader: LakeReader) => (await reader.read(0)).checks;
const of = (count: number, model = 'silver.e') => ({ model, severity: 'error', failing: count });

it('a check fails until it passes itself, whatever else of its model was checked since', async () => {
  await inEventsProject({ 'models/silver/e.yml': BOTH }, async (project) => {
    const reader = new LakeReader(project.lake);
    await record(project, 0, [notNull(false), alike(true)], [alike(true)]);
    expect(await failing(reader)).toEqual([of(1)]);
    await record(project, 2, [alike(false)]);
    expect(await failing(reader)).toEqual([of(2)]);
    await record(project, 3, [notNull(true)]);
    expect(await failing(reader)).toEqual([of(1)]);
    await record(project, 4, [notNull(true), alike(true)]);
    expect(await failing(reader)).toEqual([of(0)]);
  });
});

it('a check that a file has no more does not count, while it stands there for any reason it does', async () => {
  await inEventsProject({ 'models/silver/e.yml': BOTH }, async (project) => {
    const reader = new LakeReader(project.lake);
    await record(project, 0, [notNull(false), alike(false)]);
    expect(await failing(reader)).toEqual([of(2)]);
    await project.write('models/silver/e.yml', yml('checks: [{ not_null: [v] }]\n'));
    expect(await failing(reader)).toEqual([of(1)]);
    // A file that cannot be read takes nothing away.
    await project.write('models/silver/e.yml', 'version: [');
    expect(await failing(reader)).toEqual([of(1)]);
    await project.write('models/silver/e.yml', yml(''));
    expect(await failing(reader)).toEqual([]);
    // Where there are no files of models, nothing is known of them.
    await rm(join(project.root, 'models'), { recursive: true });
    expect(await failing(reader)).toEqual([of(2)]);
  });
});

it('what a run itself checks of a history counts as well', async () => {
  await inEventsProject(HISTORY, async (project) => {
    const reader = new LakeReader(project.lake);
    const twice = result('scd2_intervals', 'one change of k at a time', false, 'silver.h');
    await record(project, 0, [twice], [result('unique', 'k, effective_from is unique', true, 'silver.h')]);
    expect(await failing(reader)).toEqual([of(1, 'silver.h')]);
    await project.write(
      'models/silver/h.yml',
      HISTORY['models/silver/h.yml'].replace('ts }', 'ts, order_by: [ts] }'),
    );
    expect(await failing(reader)).toEqual([of(0, 'silver.h')]);
  });
});
