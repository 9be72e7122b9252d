import { spawn } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from '../../catalog/operations/backup.ts';
import { openSqlDatabase } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { filledDatabase, folder, rowsOf } from './filled-database.ts';

/** The write-ahead log of a restore grows to some megabytes. */
const MOVES = 20_000;
const MODULE = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

let dir: string;
let backup: string;
let whole: Record<string, number>;

beforeAll(async () => {
  dir = await folder();
  backup = join(dir, 'backup');
  const filled = await filledDatabase(join(dir, 'filled.db'), MOVES);
  await backUp(filled, backup, systemClock);
  whole = await countsOf(filled);
  await filled.close();
});
afterAll(() => rm(dir, { recursive: true }));

async function countsOf(database: Parameters<typeof rowsOf>[0]): Promise<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(await rowsOf(database)).map(([table, rows]) => [table, rows.length]),
  );
}

const size = (path: string): Promise<number> =>
  stat(path).then(
    (file) => file.size,
    () => 0,
  );

/** Restores in a process of its own and kills it as soon as the log has `bytes`; false if it was done before. */
async function killedAt(target: string, bytes: number): Promise<boolean> {
  const script = `
    import { openSqlDatabase } from ${MODULE('catalog/store/open-store.ts')};
    import { restoreBackup } from ${MODULE('catalog/operations/restore.ts')};
    import { systemClock } from ${MODULE('src/clock.ts')};
    const database = await openSqlDatabase(${JSON.stringify(target)}, systemClock);
    await restoreBackup(database, ${JSON.stringify(backup)});
    await database.close();
  `;
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  const child = spawn(process.execPath, words, { stdio: 'inherit' });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  await expect
    .poll(async () => child.exitCode !== null || (await size(`${target}-wal`)) >= bytes, {
      timeout: 60_000,
      interval: 2,
    })
    .toBe(true);
  const isKilled = child.kill('SIGKILL');
  await ended;
  return isKilled && child.signalCode === 'SIGKILL';
}

it('leaves the catalog empty or whole when it is killed', async () => {
  const logged: number[] = [];
  for (const [at, bytes] of [1, 300_000, 600_000, 1_000_000, 3_000_000].entries()) {
    const target = join(dir, `target-${at}.db`);
    const isKilled = await killedAt(target, bytes);
    logged.push(isKilled ? bytes : 0);
    const database = await openSqlDatabase(target, systemClock);
    const counts = await countsOf(database);
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (total > 0) expect(counts).toEqual(whole);
    await database.close();
  }
  // At least one was killed while its rows were being written.
  expect(Math.max(...logged)).toBeGreaterThanOrEqual(600_000);
});
