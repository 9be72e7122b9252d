import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresOfFile } from '../postgres/catalog.ts';
import { CatalogServers } from './catalog-servers.ts';
import { WriterRace } from './catalog-writers.ts';

const RACE = { writers: 32, commits: 200, appendEvery: 40, killEvery: 500, faults: 0.03, seed: 20_261_121 };
/** It takes two minutes on an idle machine, and is not to fail on a busy one. */
const LONG_MS = 45 * 60_000;
const postgres = postgresOfFile();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-writers-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function race(database: string, replicas: number): Promise<void> {
  const servers = await CatalogServers.start(folder, database, replicas);
  try {
    const writers = new WriterRace(RACE, servers);
    await writers.run();
    console.log(JSON.stringify(writers.tally));
    expect(await writers.problems()).toEqual([]);
    // A race without faults would prove nothing.
    const { applied, kills, unknown, found, sentAgain, conflicts } = writers.tally;
    expect(applied).toBe(RACE.writers * RACE.commits);
    expect(kills).toBe(Math.floor(applied / RACE.killEvery));
    expect(unknown).toBeGreaterThan(150);
    expect(found).toBeGreaterThan(5);
    expect(sentAgain).toBeGreaterThan(50);
    expect(conflicts).toBeGreaterThan(50);
  } finally {
    await servers.close();
  }
}

describe('32 writers of 200 commits on one table, kills of the server and lost answers', () => {
  it('lose and double nothing on SQLite', () => race('./catalog.db', 1), LONG_MS);

  it.skipIf(postgres.missing !== null)(
    'lose and double nothing on PostgreSQL with two servers',
    () => race(postgres.place(), 2),
    LONG_MS,
  );
});
