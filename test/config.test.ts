import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lakeJsonSchema, loadLake, shownDatabase, tierOf } from '../src/config.ts';
import { modelJsonSchema } from '../src/pipeline/model-file.ts';

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

  it('takes the URL of a database as it is, and shows it without user and password', async () => {
    const url = 'postgres://lake:p%40ss@db:5432/lake?schema=flights&sslmode=require&password=other';
    await write(
      LAKE.replace(
        './.lake/catalog.db',
        `"postgres://lake:\${PW}${url.slice('postgres://lake:p%40ss'.length)}"`,
      ),
    );
    const { catalog } = await loadLake(dir, { PW: 'p%40ss' });
    expect(catalog).toEqual({ kind: 'embedded', database: url });
    expect(shownDatabase(url)).toBe('postgres://db:5432/lake?schema=flights');
    expect(shownDatabase('/a/b.db')).toBe('/a/b.db');
  });

  it('reports all meanings that are off, with their places', async () => {
    await write(
      LAKE.replace('name: flights', 'name: flights\ntimezone: Mars/Base')
        .replace('"{warehouse}/hot/warm"', '"gs://bucket/warm"')
        .replace('embedded: ./.lake/catalog.db', 'warehouse: x'),
    );
    const failure = loadLake(dir, {});
    await expect(failure).rejects.toMatchObject({ kind: 'invalid-file' });
    await expect(failure).rejects.toThrow(/lake\.yaml:3:1: "Mars\/Base" is no time zone/);
    await expect(failure).rejects.toThrow(/lake\.yaml:9:11: there is no store for gs:/);
    await expect(failure).rejects.toThrow(/either "embedded" or "uri"/);
  });

  it('takes S3 locations with storage of their own, and refuses what cannot be meant', async () => {
    const s3 = (tiers: string, storage = 'endpoint: http://localhost:9000') =>
      LAKE.replace('./.lake/ware house', '"s3://lake/ware house/"')
        .replace(/tiers:[\s\S]*/, `tiers:\n${tiers}`)
        .concat(`storage: { ${storage} }\n`);
    await write(
      s3(
        '  hot: { location: "{warehouse}/hot" }\n' +
          '  cold: { location: "s3://cold/c", storage_class: GLACIER_IR, storage: { region: eu-1, access_key_id: "${KEY}", secret_access_key: s } }\n',
      ),
    );
    const config = await loadLake(dir, { KEY: 'abc' });
    expect(config.storage).toEqual({ endpoint: 'http://localhost:9000' });
    expect(config.tiers).toEqual([
      { name: 'hot', location: 's3://lake/ware house/hot' },
      {
        name: 'cold',
        location: 's3://cold/c',
        storageClass: 'GLACIER_IR',
        storage: { region: 'eu-1', accessKeyId: 'abc', secretAccessKey: 's' },
      },
    ]);
    const refused = async (text: string, message: RegExp) => {
      await write(text);
      await expect(loadLake(dir, {})).rejects.toThrow(message);
    };
    const hot = '  hot: { location: "{warehouse}/hot" }\n';
    await refused(s3(hot, 'access_key_id: a'), /belong together/);
    await refused(s3(hot, 'endpoint: localhost'), /an address such as/);
    await refused(
      s3('  hot: { location: s3://b, storage_class: COLD }\n'),
      /the hottest tier has no storage_class/,
    );
    await refused(
      s3(`${hot}  warm: { location: /mnt/w, storage_class: COLD }\n`),
      /"storage_class" is for s3/,
    );
    await refused(
      s3(`${hot}  warm: { location: "{warehouse}/hot", storage_class: COLD }\n`),
      /the same location/,
    );
  });

  it('says how to get a project where there is none', async () => {
    await expect(loadLake(dir, {})).rejects.toMatchObject({
      kind: 'usage',
      hint: expect.stringContaining('lake init'),
    });
  });
});

it.each([
  ['lake', lakeJsonSchema],
  ['model', modelJsonSchema],
])('schemas/%s.schema.json is what the code says', async (file, schema) => {
  await expect(`${JSON.stringify(schema(), null, 2)}\n`).toMatchFileSnapshot(
    `../schemas/${file}.schema.json`,
  );
});
