import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from '../../catalog/operations/backup.ts';
import { moveCatalog } from '../../catalog/operations/move-catalog.ts';
import { restoreBackup } from '../../catalog/operations/restore.ts';
import { findMaintenance } from '../../catalog/store/maintenance.ts';
import { openSqlDatabase } from '../../catalog/store/open-store.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { systemClock } from '../../src/clock.ts';
import { isKind } from '../../src/errors.ts';
import { newTable } from '../catalog/lake.ts';
import { postgresOfFile } from '../postgres/catalog.ts';
import { filledDatabase, folder, rowsOf } from './filled-database.ts';

const TABLES = ['a', 'b', 'c'];
const WRITERS = 3;
const BACKUPS = 4;

let dir: string;
const postgres = postgresOfFile();

beforeAll(async () => {
  dir = await folder();
});
afterAll(() => rm(dir, { recursive: true }));

const opened = (database: string) =>
  openEmbeddedCatalog({ database, warehouse: `file://${dir}/hot`, clock: systemClock });

/** What each table was set to by the last commit over all of them. */
async function statesOf(database: string): Promise<(string | undefined)[]> {
  const catalog = await opened(database);
  const states: (string | undefined)[] = [];
  for (const name of TABLES) {
    const { metadata } = await catalog.loadTable({ namespace: ['n'], name });
    states.push(metadata.properties['state']);
  }
  await catalog.close();
  return states;
}

/** Writers set all tables at once to values of their own; a backup in between has all of a commit, or nothing. */
async function backedUpDuringCommits(database: string, name: string): Promise<void> {
  const catalog = await opened(database);
  for (const table of TABLES) await newTable(catalog, { namespace: ['n'], name: table });
  let commits = 0;
  let isEnding = false;
  const writer = async (who: number): Promise<void> => {
    for (let at = 0; !isEnding; at++) {
      const updates = [{ action: 'set-properties', updates: { state: `${who}-${at}` } } as const];
      const all = TABLES.map((table) => ({
        identifier: { namespace: ['n'], name: table },
        requirements: [],
        updates,
      }));
      try {
        await catalog.commitTransaction(all);
        commits += 1;
      } catch (error) {
        if (!isKind(error, 'conflict')) throw error;
      }
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, who) => writer(who));
  const source = await openSqlDatabase(database, systemClock);
  const seen = new Set<string>();
  for (let at = 0; at < BACKUPS; at++) {
    const before = commits;
    await expect.poll(() => commits).toBeGreaterThan(before);
    const [file, target] = [join(dir, `${name}-${at}.backup`), join(dir, `${name}-${at}.db`)];
    await backUp(source, file, systemClock);
    const restored = await openSqlDatabase(target, systemClock);
    await restoreBackup(restored, file);
    await restored.close();
    const states = await statesOf(target);
    expect(new Set(states).size, states.join()).toBe(1);
    seen.add(String(states[0]));
  }
  isEnding = true;
  await Promise.all(writers);
  await source.close();
  await catalog.close();
  expect(seen.size).toBe(BACKUPS);
}

it('is of one moment while others commit: SQLite', async () => {
  await backedUpDuringCommits(join(dir, 'catalog.db'), 'sqlite');
});

describe.skipIf(postgres.missing !== null)('PostgreSQL', () => {
  it('is of one moment while others commit', async () => {
    await backedUpDuringCommits(postgres.place(), 'postgres');
  });

  it('takes a catalog from SQLite and gives it back, row for row', async () => {
    const first = await filledDatabase(join(dir, 'first.db'));
    await first.run("UPDATE relocations SET state = 'finished'");
    const [place, path] = [postgres.place(), join(dir, 'moved.backup')];
    const second = await openSqlDatabase(place, systemClock);
    await moveCatalog(first, second, { path, clock: systemClock });
    const third = await openSqlDatabase(join(dir, 'third.db'), systemClock);
    await moveCatalog(second, third, { path, clock: systemClock });
    expect(await rowsOf(second)).toEqual(await rowsOf(first));
    expect(await rowsOf(third)).toEqual(await rowsOf(first));
    // Whoever uses the old one is told where it went.
    expect(await findMaintenance(first)).toMatchObject({ reason: `moved to ${second.where}` });
    // New rows get numbers above the restored ones.
    for (const database of [second, third]) {
      await database.run(
        "INSERT INTO moves (relocation_id, from_location, to_location, kind, size) VALUES ('r-copying', 'f', 'new', 'data', 1)",
      );
      const last = await database.get("SELECT seq FROM moves WHERE to_location = 'new'");
      const highest = await database.get("SELECT MAX(seq) AS seq FROM moves WHERE to_location <> 'new'");
      expect(Number(last?.['seq'])).toBe(Number(highest?.['seq']) + 1);
    }
    for (const database of [first, second, third]) await database.close();
  });

  it('leaves a catalog that cannot be moved as it was', async () => {
    const from = await openSqlDatabase(join(dir, 'stays.db'), systemClock);
    const to = await openSqlDatabase(postgres.place(), systemClock);
    await to.run("INSERT INTO namespaces VALUES ('taken', '{}')");
    const path = join(dir, 'never.backup');
    await expect(moveCatalog(from, to, { path, clock: systemClock })).rejects.toMatchObject({
      kind: 'not-empty',
    });
    expect(await from.all('SELECT * FROM switches')).toEqual([]);
    await from.close();
    await to.close();
  });
});
