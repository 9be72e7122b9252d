import { cp, glob, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { landCorrection, mustRun, rowsOf, smallFlights, writeFlights } from '../small-flights.ts';
import { killedAt, pointsOf } from './killed-lake.ts';

const MOVE = ['tier', 'apply', '--yes', '--now', '2001-07-01'];
const WEEK = "date >= '2001-01-01' AND date < '2001-01-05'";
const LATER = "date >= '2001-01-04' AND date < '2001-01-06'";

let project: Awaited<ReturnType<typeof smallFlights>>;

/** Count and digest of a table at a point in time; what tells when rows landed is left out. */
async function answer(table: string, asOf: string): Promise<string> {
  const columns = table.startsWith('bronze.') ? '* EXCLUDE (_batch_id, _ingested_at)' : '*';
  const query = `SELECT count(*) AS n, CAST(sum(CAST(hash(r) AS HUGEINT)) AS VARCHAR) AS d FROM (SELECT ${columns} FROM ${table}) AS r`;
  const [row] = await rowsOf(project.folder, ['sql', query, '--as-of', asOf]);
  return `${row?.['n']} ${row?.['d']}`;
}

async function tables(): Promise<string[]> {
  return (await rowsOf(project.folder, ['table', 'list'])).map((row) => String(row['table']));
}

/** What every table answers now. */
async function currentAnswers(): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all((await tables()).map(async (name) => [name, await answer(name, 'main')])),
  );
}

/** What every snapshot and tag of every table answers. */
async function allAnswers(): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const table of await tables()) {
    for (const row of await rowsOf(project.folder, ['table', 'history', table])) {
      const refs = Array.isArray(row['refs']) ? row['refs'].map(String).filter((ref) => ref !== 'main') : [];
      for (const asOf of [String(row['snapshot_id']), ...refs])
        answers[`${table} ${asOf}`] = await answer(table, asOf);
    }
  }
  return answers;
}

/** Keeps the state of the project's tables, to go back to it: locations are absolute, so it stays in its place. */
async function keepState(): Promise<() => Promise<void>> {
  const live = join(project.folder, '.lake');
  const kept = join(project.folder, '.kept');
  await rm(kept, { recursive: true, force: true });
  await cp(live, kept, { recursive: true });
  return async () => {
    await rm(live, { recursive: true, force: true });
    await cp(kept, live, { recursive: true });
  };
}

beforeAll(async () => {
  project = await smallFlights({ nth: 200, where: WEEK });
  await mustRun(project.folder, ['run']);
  await mustRun(project.folder, ['table', 'tag', 'silver.flights', 'first']);
});
afterAll(() => project.remove());

describe('SIGKILL', () => {
  it('of a run leaves silver and gold as before or as after, and the next run ends it', {
    timeout: 600_000,
  }, async () => {
    await landCorrection(project.folder, 'more.csv', '2001-01-02');
    await writeFlights(join(project.folder, 'data/flights-later.parquet'), { nth: 200, where: LATER });
    const goBack = await keepState();
    const [before, history] = [await currentAnswers(), await allAnswers()];
    const points = await pointsOf(project.folder, ['run']);
    expect(points).toContain('before put metadata file #1');
    const after = await currentAnswers();
    expect(after['gold.fct_flight']).not.toBe(before['gold.fct_flight']);

    for (const point of points) {
      await goBack();
      await killedAt(project.folder, ['run'], point);
      const left = await currentAnswers();
      const published = left['gold.fct_flight'] === after['gold.fct_flight'] ? after : before;
      for (const table of Object.keys(before)) {
        const allowed = table.startsWith('bronze.') ? [before[table], after[table]] : [published[table]];
        expect(allowed, `${table}, killed ${point}`).toContain(left[table]);
      }
      await mustRun(project.folder, ['run']);
      expect(await currentAnswers(), `run again, killed ${point}`).toEqual(after);
      expect(await allAnswers(), `history, killed ${point}`).toMatchObject(history);
    }
  });

  it('of a move changes no answer, and the next apply ends it without a leak', {
    timeout: 600_000,
  }, async () => {
    const where = "origin = 'ORD' AND delay_minutes > 0";
    await mustRun(project.folder, ['run']);
    await mustRun(project.folder, ['table', 'delete', 'silver.flights', '--where', where]);
    const goBack = await keepState();
    const history = await allAnswers();
    const points = await pointsOf(project.folder, MOVE);
    expect(points).toContain('before copy data or delete file #1');
    const status = await tierStatus();

    for (const point of points) {
      await goBack();
      await killedAt(project.folder, MOVE, point);
      expect(await allAnswers(), `killed ${point}`).toMatchObject(history);
      // By this clock leases of the killed process have run out, and the grace has passed at the second apply.
      for (const days of [1, 3]) {
        const clock = { ...systemClock, now: () => systemClock.now() + days * 86_400_000 };
        await mustRun(project.folder, MOVE, { clock });
      }
      expect(await tierStatus(), `apply again, killed ${point}`).toEqual(status);
      expect(await allAnswers(), `apply again, killed ${point}`).toMatchObject(history);
      expect(await unreferenced(), `leaks, killed ${point}`).toEqual([]);
    }
  });
});

async function tierStatus(): Promise<unknown> {
  const rows = await rowsOf(project.folder, ['tier', 'status', '--now', '2001-07-01']);
  return rows.map((row) => JSON.stringify(row)).sort();
}

/** Data and delete files on disk that no snapshot of any table names. */
async function unreferenced(): Promise<string[]> {
  const named = new Set<string>();
  for (const table of await tables()) {
    for (const row of await rowsOf(project.folder, ['table', 'history', table])) {
      const files = await rowsOf(project.folder, [
        'table',
        'files',
        table,
        '--as-of',
        String(row['snapshot_id']),
      ]);
      for (const file of files) named.add(String(file['location']));
    }
  }
  const leaks: string[] = [];
  for await (const path of glob(join(project.folder, '.lake/warehouse/**/*.parquet'))) {
    if (!named.has(`file://${path}`)) leaks.push(path);
  }
  return leaks;
}
