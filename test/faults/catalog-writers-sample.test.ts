import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CatalogServers } from './catalog-servers.ts';
import { WriterRace } from './catalog-writers.ts';

it('keeps what writers of one table were told, with a kill of the server and lost answers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lake-writers-'));
  const servers = await CatalogServers.start(folder, './catalog.db', 1);
  try {
    const race = new WriterRace(
      { writers: 8, commits: 12, appendEvery: 4, killEvery: 60, faults: 0.08, seed: 1 },
      servers,
    );
    await race.run();
    expect(await race.problems()).toEqual([]);
    expect(race.tally).toMatchObject({ applied: 96, kills: 1 });
    expect(race.tally.unknown).toBeGreaterThan(3);
    expect(race.tally.conflicts).toBeGreaterThan(3);
  } finally {
    await servers.close();
    await rm(folder, { recursive: true, force: true });
  }
});
