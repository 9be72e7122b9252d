import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadLake, tierOf } from '../src/config.ts';

const LAKE = `version: 1
name: flights
warehouse: ./.lake/ware house
catalog:
  embedded: ./.lake/catalog.db
tiers:
  hot: { location: "{warehouse}/hot" }
  warm: { location: "{warehouse}/hot/warm" }
`;

describe('loadLake', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lake-config-'));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const write = (text: string) => writeFile(join(dir, 'lake.yaml'), text);

  it('is found from a folder below, with raw absolute locations and tiers in order', async () => {
    await write(LAKE);
    await mkdir(join(dir, 'models', 'gold'), { recursive: true });
    const config = await loadLake(join(dir, 'models', 'gold'), {});
    expect(config.root).toBe(dir);
    expect(config.tiers.map((tier) => tier.location)).toEqual([
      `file://${dir}/.lake/ware house/hot`,
      `file://${dir}/.lake/ware house/hot/warm`,
    ]);
    expect(config.catalog).toEqual({ kind: 'embedded', database: join(dir, '.lake', 'catalog.db') });
    const location = (path: string) => `file://${dir}/.lake/ware house/${path}`;
    expect(tierOf(config.tiers, location('hot/warm/t/a')).name).toBe('warm');
    expect(tierOf(config.tiers, location('hot/warmer/t/a')).name).toBe('hot');
    expect(tierOf(config.tiers, 'file:///elsewhere/a').name).toBe('hot');
  });

  it('lets the environment override a key, nested ones too, and nothing else', async () => {
    await write(LAKE);
    const env = { LAKE_TIERS__WARM__LOCATION: '/mnt/warm', LAKE_CREDENTIAL: 'x', LAKE_NAME: 'other' };
    const config = await loadLake(dir, env);
    expect(config.name).toBe('other');
    expect(config.tiers[1]).toEqual({ name: 'warm', location: 'file:///mnt/warm' });
  });

  it('reports all meanings that are off, with their places', async () => {
    await write(
      LAKE.replace('name: flights', 'name: flights\ntimezone: Mars/Base')
        .replace('"{warehouse}/hot/warm"', '"s3://bucket/warm"')
        .replace('embedded: ./.lake/catalog.db', 'warehouse: x'),
    );
    const failure = loadLake(dir, {});
    await expect(failure).rejects.toMatchObject({ kind: 'invalid-file' });
    await expect(failure).rejects.toThrow(/lake\.yaml:3:1: "Mars\/Base" is no time zone/);
    await expect(failure).rejects.toThrow(/lake\.yaml:9:11: this version stores on the local disk only/);
    await expect(failure).rejects.toThrow(/either "embedded" or "uri"/);
  });

  it('says how to get a project where there is none', async () => {
    await expect(loadLake(dir, {})).rejects.toMatchObject({
      kind: 'usage',
      hint: expect.stringContaining('lake init'),
    });
  });
});
