import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { runChecks, runPipeline } from '../../src/pipeline/run.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';

const FILES = {
  'lake.yaml': 'version: 1\nname: t\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\n',
  'models/bronze/e.sql': 'SELECT * FROM source',
  'models/bronze/e.yml':
    'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
  'models/silver/e.sql':
    'SELECT _source_file, _row, CAST(ts AS TIMESTAMP) AS ts, CAST(v AS INTEGER) AS v FROM bronze.e WHERE v > 0',
  'models/silver/e.yml':
    'version: 1\nmaterialisation: replace_partitions\npartition_by: [day(ts)]\nkey: [_source_file, _row]\n' +
    'columns:\n  - { name: v, checks: [{ accepted_range: { max: 100 } }] }\n',
  'models/gold/m.sql': 'SELECT CAST(ts AS DATE) AS day, sum(v) AS v FROM silver.e GROUP BY ALL',
  'models/gold/m.yml': 'version: 1\nmaterialisation: full\nkey: [day]\n',
  'data/1.csv': 'ts,v\n2001-01-01 10:00:00,1\n2001-01-02 10:00:00,2\n2001-01-02 11:00:00,3\n',
};

describe('runPipeline', () => {
  let root: string;
  let lake: Lake;
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const reopen = async () => {
    lake = await openLake(await loadLake(root, {}), systemClock);
  };
  const table = (id: string) => openTable(lake, parseTableName(id));
  const paths = async (id: string) => (await planScan(await table(id))).tasks.map((t) => t.dataFile.filePath);
  const statuses = async (options = {}) =>
    Object.fromEntries(
      (await runPipeline(lake, options)).models.map((m) => [m.model, `${m.status} ${m.rows}`]),
    );

  async function rows(id: string, sql = `SELECT * FROM "t" ORDER BY ALL`) {
    const engine = await openDuckDb({ tempDirectory: join(root, 'tmp'), threads: 1 });
    try {
      await createTableView(engine, '"t"', await planScan(await table(id)));
      return await engine.all(sql);
    } finally {
      await engine.close();
    }
  }

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lake-run-'));
    for (const [path, text] of Object.entries(FILES)) await write(path, text);
    await reopen();
  });
  afterEach(async () => {
    await lake.close();
    await rm(root, { recursive: true, force: true });
  });

  it('builds once, changes nothing the second time, and with more input writes only the days it touches', async () => {
    expect(await statuses()).toEqual({ 'bronze.e': 'landed 3', 'silver.e': 'built 3', 'gold.m': 'built 2' });
    const before = await Promise.all(['bronze.e', 'silver.e', 'gold.m'].map(table));
    expect(Object.values(await statuses()).every((status) => status === 'unchanged 0')).toBe(true);
    for (const old of before) expect((await table(old.name)).metadataLocation).toBe(old.metadataLocation);

    const [first] = (await paths('silver.e')).sort();
    await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,4\n');
    expect(await statuses()).toEqual({ 'bronze.e': 'landed 1', 'silver.e': 'built 3', 'gold.m': 'built 2' });
    expect(await paths('silver.e')).toContain(first);
    expect((await rows('gold.m')).map((row) => String(row['v']))).toEqual(['1', '9']);
    const landed = await rows(
      'bronze.e',
      'SELECT _source_file AS f, CAST(_row AS INT) AS r FROM "t" ORDER BY ALL',
    );
    expect(landed).toEqual([
      { f: 'data/1.csv', r: 1 },
      { f: 'data/1.csv', r: 2 },
      { f: 'data/1.csv', r: 3 },
      { f: 'data/2.csv', r: 1 },
    ]);
    expect(Object.keys((await table('silver.e')).metadata.refs)).toEqual(['main']);
  });

  it('publishes nothing of any table when a check fails, leaves no branch, and goes on once it is mended', async () => {
    await runPipeline(lake);
    const before = await Promise.all(
      ['silver.e', 'gold.m'].map(async (id) => (await table(id)).metadata.refs),
    );
    await write('data/2.csv', 'ts,v\n2001-01-05 12:00:00,400\n');
    await expect(runPipeline(lake)).rejects.toMatchObject({
      kind: 'check-failed',
      message: expect.stringContaining('silver.e: accepted_range: v <= 100: 1 offender'),
    });
    expect(
      await Promise.all(['silver.e', 'gold.m'].map(async (id) => (await table(id)).metadata.refs)),
    ).toEqual(before);
    expect((await runChecks(lake)).every((result) => result.passed)).toBe(true);
    await write('models/silver/e.yml', FILES['models/silver/e.yml'].replace('100', '500'));
    expect(await statuses()).toEqual({
      'bronze.e': 'unchanged 0',
      'silver.e': 'built 1',
      'gold.m': 'built 3',
    });
  });

  it('removes partitions that a changed model no longer fills, and adds its new columns', async () => {
    await runPipeline(lake);
    await write(
      'models/silver/e.sql',
      `${FILES['models/silver/e.sql'].replace('AS v FROM', 'AS v, 7 AS n FROM')} AND v > 1`,
    );
    await runPipeline(lake);
    expect((await rows('silver.e')).map(({ v, n }) => [v, n])).toEqual([
      [2, 7],
      [3, 7],
    ]);
    expect((await rows('gold.m')).map((row) => String(row['v']))).toEqual(['5']);
  });

  it('refuses a landed file whose bytes have changed, and SQL errors by the name of their file', async () => {
    await runPipeline(lake);
    await write('data/1.csv', 'ts,v\n2001-01-01 10:00:00,9\n');
    await expect(runPipeline(lake)).rejects.toThrow(/data\/1\.csv has changed since it landed in bronze\.e/);
    await write('data/1.csv', FILES['data/1.csv']);
    await write('models/gold/m.sql', 'SELEC 1');
    await expect(runPipeline(lake)).rejects.toMatchObject({
      kind: 'invalid-file',
      where: expect.stringContaining('models/gold/m.sql'),
    });
  });

  it('lets two runs at once land a file once', async () => {
    const other = await openLake(await loadLake(root, {}), systemClock);
    try {
      const results = await Promise.allSettled([
        runPipeline(lake, { select: ['bronze.e'] }),
        runPipeline(other, { select: ['bronze.e'] }),
      ]);
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled']);
      expect(await rows('bronze.e')).toHaveLength(3);
    } finally {
      await other.close();
    }
  });
});
