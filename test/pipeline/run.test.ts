import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { LakeError } from '../../src/errors.ts';
import { mainSnapshotId } from '../../src/pipeline/model-state.ts';
import { runChecks, runPipeline } from '../../src/pipeline/run.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { tableHistory } from '../../src/table/history.ts';
import { planScan } from '../../src/table/scan.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
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
    vi.restoreAllMocks();
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

  /** Main of a table back to its snapshot `steps` ago, as `rollback_to_snapshot` of any engine does. */
  async function rollBack(id: string, steps: number) {
    const { identifier, metadata } = await table(id);
    const target = tableHistory(await table(id)).at(-1 - steps)!;
    await lake.catalog.commitTable({
      identifier,
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates: [
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': target.snapshotId },
      ],
    });
  }

  /** What a tier move leaves on main: a `replace` snapshot of the same rows. */
  const fence = async (id: string) =>
    commitWithRetry(lake, parseTableName(id), (current) =>
      stageSnapshot(current, newChange(lake.clock), {
        operation: 'replace',
        added: [],
        properties: { 'lake.relocation-id': 'r' },
      }),
    );

  /** Drops all snapshots of a table but main's newest. */
  async function expireAll(id: string) {
    const { identifier, metadata } = await table(id);
    const head = mainSnapshotId(metadata);
    const ids = metadata.snapshots.map((s) => s['snapshot-id']).filter((one) => one !== head);
    await lake.catalog.commitTable({
      identifier,
      requirements: [],
      updates: [{ action: 'remove-snapshots', 'snapshot-ids': ids }],
    });
  }

  it('lands again what was rolled back in bronze, and rebuilds rolled-back rows, though a move has fenced them', async () => {
    await runPipeline(lake);
    await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,4\n');
    await runPipeline(lake);
    for (const id of ['bronze.e', 'silver.e', 'gold.m']) {
      await rollBack(id, 1);
      await fence(id);
    }
    expect((await rows('gold.m')).map((row) => String(row['v']))).toEqual(['1', '5']);
    expect(await statuses()).toEqual({ 'bronze.e': 'landed 1', 'silver.e': 'built 3', 'gold.m': 'built 2' });
    expect((await rows('gold.m')).map((row) => String(row['v']))).toEqual(['1', '9']);
    expect(await rows('bronze.e')).toHaveLength(4);

    await rollBack('silver.e', 1);
    await fence('silver.e');
    expect((await statuses())['silver.e']).toBe('built 3');
    expect((await rows('silver.e')).map(({ v }) => v)).toEqual([1, 2, 3, 4]);
  });

  it('does not land again because snapshots have expired, and asks where it cannot tell', async () => {
    await runPipeline(lake);
    await fence('bronze.e');
    await fence('bronze.e');
    await fence('bronze.e');
    await expireAll('bronze.e');
    expect((await statuses())['bronze.e']).toBe('unchanged 0');
    expect(await rows('bronze.e')).toHaveLength(3);

    const landing = (await table('bronze.e')).metadata.properties;
    expect(landing['lake.lineage']).toMatch(/^\d+ 4$/);
    for (let i = 0; i < 3; i++) await fence('bronze.e');
    const at = (await table('bronze.e')).identifier;
    const scan = await planScan(await table('bronze.e'));
    await commitWithRetry(lake, at, (current) =>
      stageSnapshot(current, newChange(lake.clock), {
        operation: 'delete',
        added: [],
        removed: new Set(scan.tasks.map((task) => task.dataFile.filePath)),
      }),
    );
    await expireAll('bronze.e');
    await expect(runPipeline(lake)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('cannot be told whether data/1.csv has landed'),
      hint: expect.stringContaining('--land-again data/1.csv'),
    });
    expect((await statuses({ assumeLanded: ['data/1.csv'] }))['bronze.e']).toBe('unchanged 0');
    expect((await statuses())['bronze.e']).toBe('unchanged 0');
  });

  it('builds on what it has checked, whatever lands in the meantime', async () => {
    await write('models/bronze/e.yml', `${FILES['models/bronze/e.yml']}checks: [{ not_null: [v] }]\n`);
    await runPipeline(lake, { select: ['bronze.e'] });
    const other = await openLake(await loadLake(root, {}), systemClock);
    await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,4\n2001-01-02 13:00:00,\n');
    let armed = false;
    const load = lake.catalog.loadTable.bind(lake.catalog);
    vi.spyOn(lake.catalog, 'loadTable').mockImplementation(async (identifier) => {
      const loaded = await load(identifier);
      if (!armed || identifier.namespace[0] !== 'bronze') return loaded;
      armed = false;
      await expect(runPipeline(other, { select: ['bronze.e'] })).rejects.toThrow(/v is not null/);
      return loaded;
    });
    try {
      const run = await runPipeline(lake, {
        select: ['silver.e', 'gold.m'],
        progress: (stage) => {
          armed ||= stage === 'silver.e';
        },
      });
      expect(run.models.map((m) => `${m.model} ${m.rows}`)).toEqual(['silver.e 3', 'gold.m 2']);
      await expect(runPipeline(lake)).rejects.toThrow(/v is not null/);
      expect(await rows('silver.e')).toHaveLength(3);
    } finally {
      await other.close();
    }
  });

  it('records every run that did something or failed, with its checks, and no other', async () => {
    await runPipeline(lake);
    await runPipeline(lake);
    await write('data/2.csv', 'ts,v\n2001-01-05 12:00:00,400\n');
    await expect(runPipeline(lake)).rejects.toMatchObject({ kind: 'check-failed' });
    expect(
      await rows(
        'lake_system.runs',
        'SELECT command, status, models, CAST(rows AS INT) AS r FROM "t" ORDER BY started_at',
      ),
    ).toEqual([
      { command: 'run', status: 'published', models: 3, r: 8 },
      { command: 'run', status: 'failed', models: 1, r: 1 },
    ]);
    const failed = await rows('lake_system.checks', `SELECT * FROM "t" WHERE status = 'failed'`);
    expect(failed).toMatchObject([
      { model: 'silver.e', check: 'accepted_range', message: expect.stringContaining('"v":400') },
    ]);
    expect((await table('lake_system.runs')).metadata.snapshots).toHaveLength(2);
  });

  it('stands though its record cannot be written, and says so', async () => {
    const warnings: string[] = [];
    const create = lake.catalog.createTable.bind(lake.catalog);
    vi.spyOn(lake.catalog, 'createTable').mockImplementation((namespace, request) =>
      namespace[0] === 'lake_system'
        ? Promise.reject(new LakeError('unavailable', 'no disk'))
        : create(namespace, request),
    );
    const report = await runPipeline(lake, { warn: (message) => warnings.push(message) });
    expect(report.models).toHaveLength(3);
    expect(warnings).toEqual([expect.stringMatching(/could not be written to lake_system: no disk/)]);
    expect(await rows('gold.m')).toHaveLength(2);
  });

  it('builds the partitions of a range and no others, and the rest afterwards', async () => {
    await runPipeline(lake);
    await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,4\n2001-01-03 12:00:00,5\n');
    const range = { fromMs: Date.UTC(2001, 0, 2, 7), toMs: Date.UTC(2001, 0, 3) };
    await runPipeline(lake, { range });
    expect((await rows('silver.e')).map(({ v }) => v)).toEqual([1, 2, 3, 4]);
    await runPipeline(lake);
    expect((await rows('silver.e')).map(({ v }) => v)).toEqual([1, 2, 3, 4, 5]);
    expect((await rows('gold.m')).map((row) => String(row['v']))).toEqual(['1', '9', '5']);
  });

  it('compares with other tables once all are built: relationships and row counts, as warnings where so said', async () => {
    const yml = (severity: string) =>
      `${FILES['models/silver/e.yml']}checks:\n  - { row_count_ratio: { to: gold.m, max: 1 }, severity: ${severity} }\n`;
    await write('models/silver/e.yml', yml('warn'));
    await write(
      'models/gold/m.yml',
      `${FILES['models/gold/m.yml']}columns:\n  - { name: v, checks: [{ relationships: { to: silver.e, field: v } }] }\n`,
    );
    await expect(runPipeline(lake)).rejects.toThrow(
      /gold\.m: relationships: v in silver\.e\.v: 1 offender; .*"v":/,
    );
    await write('models/gold/m.yml', FILES['models/gold/m.yml']);
    const { checks } = await runPipeline(lake);
    expect(checks.filter(({ passed }) => !passed)).toMatchObject([
      { model: 'silver.e', kind: 'row_count_ratio', severity: 'warn', failures: 1 },
    ]);
    await write('models/silver/e.yml', yml('error'));
    const results = await runChecks(lake);
    expect(results.filter(({ passed }) => !passed)).toMatchObject([
      { kind: 'row_count_ratio', severity: 'error' },
    ]);
  });

  it('compares a model again when only the other table has changed, chosen or not, and stops at a failure', async () => {
    await write('models/bronze/d.sql', 'SELECT * FROM source');
    await write('models/bronze/d.yml', FILES['models/bronze/e.yml'].replace('data/', 'days/'));
    // The newest file says which days there are.
    const newest = 'WHERE _source_file = (SELECT max(_source_file) FROM bronze.d)';
    await write('models/gold/d.sql', `SELECT DISTINCT CAST(day AS DATE) AS day FROM bronze.d ${newest}`);
    await write('models/gold/d.yml', FILES['models/gold/m.yml']);
    await write(
      'models/gold/m.yml',
      `${FILES['models/gold/m.yml']}columns:\n  - { name: day, checks: [{ relationships: { to: gold.d, field: day } }] }\n`,
    );
    await write('days/1.csv', 'day\n2001-01-01\n2001-01-02\n');
    await runPipeline(lake);
    const before = mainSnapshotId((await table('gold.d')).metadata);
    await write('days/2.csv', 'day\n2001-01-01\n');
    const failure = {
      kind: 'check-failed',
      message: expect.stringContaining('day in gold.d.day: 1 offender'),
    };
    await expect(runPipeline(lake)).rejects.toMatchObject(failure);
    await expect(runPipeline(lake, { select: ['gold.d'] })).rejects.toMatchObject(failure);
    expect(mainSnapshotId((await table('gold.d')).metadata)).toBe(before);
    await write('days/3.csv', 'day\n2001-01-01\n2001-01-02\n2001-01-03\n');
    expect(await statuses()).toMatchObject({ 'gold.d': 'built 3', 'gold.m': 'unchanged 0' });
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
