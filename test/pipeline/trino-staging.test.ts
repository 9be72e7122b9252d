import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { loadModels } from '../../src/pipeline/load-models.ts';
import { createStaging, dropAbandonedStaging } from '../../src/pipeline/trino-staging.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { type EventsProject, inEventsProject } from './events-project.ts';

const HOUR_MS = 3_600_000;
const now = Date.UTC(2001, 6, 1, 12);
const hoursAgo = (hours: number): Clock => ({ ...systemClock, now: () => now - hours * HOUR_MS });

/** A staging table as a run that began `startedHours` ago made it `madeHours` ago. Its name. */
async function staged({ lake }: EventsProject, startedHours: number, madeHours: number): Promise<string> {
  const { config } = lake;
  const model = (await loadModels(config.modelsFolder, config.root)).find(({ id }) => id === 'silver.e');
  if (model === undefined) throw new Error('no model');
  const time = new Date(now - startedHours * HOUR_MS).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  const then = await openLake(config, hoursAgo(madeHours));
  try {
    const run = `${time.toLowerCase()}_0123abc${madeHours % 10}`;
    return (await createStaging(then, model, run, [{ name: 'v', type: 'int' }])).identifier.name;
  } finally {
    await then.close();
  }
}

/** What is left once a run has begun now, what it said, and which tables it loaded. */
async function dropped({ lake }: EventsProject, over: Partial<Lake['catalog']> = {}) {
  const today = await openLake(lake.config, hoursAgo(0));
  const warnings: string[] = [];
  const loaded: string[] = [];
  const { catalog } = today;
  const loadTable: typeof catalog.loadTable = (identifier) => {
    loaded.push(identifier.name);
    return (over.loadTable ?? catalog.loadTable.bind(catalog))(identifier);
  };
  const seen = new Proxy(catalog, {
    get: (target, name) => {
      if (name === 'loadTable') return loadTable;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  try {
    await dropAbandonedStaging({ ...today, catalog: seen }, (message) => warnings.push(message));
    const left = (await catalog.listTables(['lake_staging'])).map(({ name }) => name);
    return { left: left.sort(), warnings, loaded };
  } finally {
    await today.close();
  }
}

it('drops what a killed run left, and nothing of a run that may still be going on, however long', async () => {
  await inEventsProject({}, async (project) => {
    const abandoned = await staged(project, 25, 25);
    const long = await staged(project, 300, 23);
    const young = await staged(project, 23, 22);
    const { left, warnings, loaded } = await dropped(project);
    expect(left).toEqual([long, young].sort());
    expect(warnings).toEqual([expect.stringContaining(abandoned)]);
    // The names of young ones say enough.
    expect(loaded.sort()).toEqual([abandoned, long].sort());
  });
});

it('keeps what it cannot look at, and goes on', async () => {
  await inEventsProject({}, async (project) => {
    const names = [await staged(project, 40, 40), await staged(project, 50, 50)];
    const lost = () => Promise.reject(new LakeError('unavailable', 'no answer'));
    const { left, warnings, loaded } = await dropped(project, { loadTable: lost });
    expect({ left, warnings }).toEqual({ left: names.sort(), warnings: [] });
    expect(loaded).toHaveLength(2);
  });
});
