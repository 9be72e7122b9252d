import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { lake } from '../cli/recorded-terminal.ts';
import { writeProject, writeSource } from '../faults/tiny-project.ts';
import { type ArchiveServer, startArchiveServer } from '../storage/archive-server.ts';

const ALL = 'SELECT * FROM silver.e ORDER BY ALL';
const RESTORE = ['--yes', 'tier', 'restore', 'silver.e', '--partitions', '*'];

describe.each(['GLACIER', 'DEEP_ARCHIVE'])('files in %s', (storageClass) => {
  let folder: string;
  let server: ArchiveServer;
  let before: unknown;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-thaw-'));
    server = await startArchiveServer();
    await writeProject(folder);
    const storage = `{ endpoint: "${server.endpoint}", region: us-east-1, path_style: true, access_key_id: k, secret_access_key: s }`;
    await writeFile(
      join(folder, 'lake.yaml'),
      'version: 1\nname: tiny\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\npolicies: ./policies\n' +
        'tiers:\n  hot: { location: "{warehouse}/hot" }\n' +
        `  cold: { location: "s3://archive/c", storage_class: ${storageClass}, storage: ${storage} }\n`,
    );
    await writeSource(folder, '1.csv', { day: 1, rows: 9 });
    await must('run');
    before = await rows();
    await must('--yes', '--now', '2001-07-01', 'tier', 'apply');
    await rm(join(folder, '.lake/cache'), { recursive: true, force: true });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function must(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await lake(folder, argv);
    expect(code, stderr).toBe(0);
    return stdout;
  }
  const rows = async (): Promise<unknown> => JSON.parse(await must('--output', 'json', 'sql', ALL));
  const json = async (...argv: string[]) => JSON.parse(await must('--output', 'json', ...argv));
  const tiers = async (): Promise<unknown> => {
    const status: { tier: string; table: string }[] = await json('tier', 'status');
    return [...new Set(status.filter(({ table }) => table === 'silver.e').map(({ tier }) => tier))];
  };

  it('went there by a move that could not read its own copies', async () => {
    expect([...server.objects.values()].map((one) => one.storageClass)).toEqual(Array(3).fill(storageClass));
    expect(await tiers()).toEqual(['cold']);
  });

  it('cannot be queried, and the error says what to do', async () => {
    const { code, stdout } = await lake(folder, ['--output', 'json', 'sql', ALL]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      message: expect.stringContaining('InvalidObjectState'),
      hint: expect.stringContaining('lake tier restore'),
    });
  });

  it('are told by a dry run, which asks for nothing', async () => {
    expect(await json(...RESTORE, '--dry-run')).toMatchObject({ dry_run: true, frozen_files: 3 });
    expect(server.asked).toEqual([]);
  });

  it('are asked for once each, and stay where they are until they can be read', async () => {
    const asked = await json(...RESTORE, '--thaw', 'bulk', '--no-wait');
    expect(asked).toMatchObject({ table: 'silver.e', state: 'thawing', frozen_files: 3 });
    expect(await json(...RESTORE, '--no-wait')).toMatchObject({ state: 'thawing', frozen_files: 3 });
    expect(server.asked).toHaveLength(3);
    for (const { body } of server.asked) expect(body).toMatch(/<Days>7<\/Days>.*<Tier>Bulk<\/Tier>/);
    expect(await tiers()).toEqual(['cold']);
  });

  it('come back once they can be read, also if they froze again while one waited', async () => {
    let polls = 0;
    const sleep = async (ms: number): Promise<void> => {
      if (ms < 60_000) return systemClock.sleep(ms);
      polls++;
      if (polls === 1) server.freeze();
      if (polls === 3) server.thaw();
      expect(polls).toBeLessThan(10);
    };
    const { code, stdout, stderr } = await lake(folder, ['--output', 'json', ...RESTORE], {
      clock: { ...systemClock, sleep },
    });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'swapped', files: 3 });
    expect(polls).toBe(3);
    expect(server.asked).toHaveLength(6);
    expect(await tiers()).toEqual(['hot']);
    expect(await rows()).toEqual(before);
  });
});
