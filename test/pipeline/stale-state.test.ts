import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mainSnapshotId } from '../../src/pipeline/model-state.ts';
import { rollback } from '../../src/table/rollback.ts';
import { parseTableName } from '../../src/table/table.ts';
import { inEventsProject } from './events-project.ts';

const VALUES = 'SELECT v FROM "t" ORDER BY v';
const UPSERT = {
  'models/silver/e.sql':
    'SELECT CAST(ts AS TIMESTAMP) AS ts, CAST(max(CAST(v AS INTEGER)) AS INTEGER) AS v FROM bronze.e GROUP BY ALL',
  'models/silver/e.yml': 'version: 1\nmaterialisation: upsert\nkey: [ts]\npartition_by: [day(ts)]\n',
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe('what a model was built from', () => {
  it.each([
    ['replace_partitions', {}, '2001-01-02 12:00:00,999', [1, 2]],
    ['upsert', UPSERT, '2001-01-02 10:00:00,999', [1, 2]],
  ])(
    'is not told by a backfill: %s notices that its input was rolled back afterwards',
    async (_, files, row, left) => {
      await inEventsProject(files, async ({ root, lake, write, table, rows, run }) => {
        await run();
        const before = mainSnapshotId((await table('bronze.e')).metadata);
        await write('data/2.csv', `ts,v\n${row}\n`);
        const range = { fromMs: Date.UTC(2001, 0, 2), toMs: Date.UTC(2001, 0, 3) };
        await run({ range });
        expect((await rows(VALUES)).map(({ v }) => v)).toContain(999);
        await rm(join(root, 'data/2.csv'));
        await rollback(lake, parseTableName('bronze.e'), { to: String(before) });
        await run();
        expect((await rows(VALUES)).map(({ v }) => v)).toEqual(left);
        expect(await run()).toEqual({ 'bronze.e': 'unchanged 0', 'silver.e': 'unchanged 0' });
      });
    },
  );

  it('is not told by a backfill of a model that reads nothing: new SQL reaches the rest in the next run', async () => {
    const days = (v: number) =>
      `SELECT 'x' AS f, TIMESTAMP '2001-01-01' + to_days(CAST(i AS INTEGER)) AS ts, ${v} AS v FROM range(3) AS r(i)`;
    await inEventsProject({ 'models/silver/e.sql': days(1) }, async ({ write, rows, run }) => {
      await run();
      await write('models/silver/e.sql', days(2));
      await run({ range: { fromMs: Date.UTC(2001, 0, 2), toMs: Date.UTC(2001, 0, 3) } });
      expect((await rows(VALUES)).map(({ v }) => v)).toEqual([1, 1, 2]);
      await run();
      expect((await rows(VALUES)).map(({ v }) => v)).toEqual([2, 2, 2]);
    });
  });

  it('is taken from the table that the result is compared with, though it was rolled back since the first look', async () => {
    await inEventsProject({}, async ({ lake, write, table, rows, run }) => {
      await run();
      const first = mainSnapshotId((await table('silver.e')).metadata);
      await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,3\n');
      await run();
      await write('data/3.csv', 'ts,v\n2001-01-03 12:00:00,4\n');
      const load = lake.catalog.loadTable.bind(lake.catalog);
      const silver = parseTableName('silver.e');
      let looks = 0;
      vi.spyOn(lake.catalog, 'loadTable').mockImplementation(async (identifier) => {
        // The first look is for branches that were left behind, the second for the state, the third is built on.
        if (identifier.namespace[0] === 'silver' && ++looks === 3) {
          vi.restoreAllMocks();
          await rollback(lake, silver, { to: String(first) });
        }
        return load(identifier);
      });
      expect((await run())['silver.e']).toBe('built 3');
      expect((await rows(VALUES)).map(({ v }) => v)).toEqual([1, 2, 3, 4]);
    });
  });

  it.each([
    ['replace_partitions', {}, true],
    ['upsert', UPSERT, true],
    ['replace_partitions', {}, false],
    ['upsert', UPSERT, false],
  ])(
    'is asked before an older, slower run writes over a newer publication: %s, %s, table there: %s',
    async (_, files, isThere) => {
      await inEventsProject(files, async ({ lake, write, rows, run }) => {
        if (isThere) await run();
        await write('data/2.csv', 'ts,v\n2001-01-02 12:00:00,3\n');
        const load = lake.catalog.loadTable.bind(lake.catalog);
        let looks = 0;
        vi.spyOn(lake.catalog, 'loadTable').mockImplementation(async (identifier) => {
          // By the third look its inputs are read: what another run lands and publishes now is newer than them.
          if (identifier.namespace[0] === 'silver' && ++looks === 3) {
            vi.restoreAllMocks();
            await write('data/3.csv', 'ts,v\n2001-01-02 12:00:00,4\n2001-01-03 12:00:00,5\n');
            await run();
          }
          return load(identifier);
        });
        await expect(run()).rejects.toMatchObject({ kind: 'conflict' });
        expect(looks).toBe(3);
        const newest = await rows(VALUES);
        expect(newest.map(({ v }) => v)).toEqual(files === UPSERT ? [1, 2, 4, 5] : [1, 2, 3, 4, 5]);
        expect(await run()).toEqual({ 'bronze.e': 'unchanged 0', 'silver.e': 'unchanged 0' });
        expect(await rows(VALUES)).toEqual(newest);
      });
    },
  );

  it('says nothing of SQL that reads the clock: its result is compared with the rows of the table', async () => {
    const sql = 'SELECT CAST(ts AS TIMESTAMP) AS ts, v, epoch_us(now()) AS seen FROM bronze.e';
    await inEventsProject({ 'models/silver/e.sql': sql }, async ({ write, rows, run }) => {
      await run();
      expect((await run())['silver.e']).toBe('built 2');
      await write('data/2.csv', 'ts,v\n2001-01-03 12:00:00,3\n');
      expect((await run())['silver.e']).toBe('built 3');
      expect(await rows('SELECT count(DISTINCT seen)::INT AS times, count(*)::INT AS n FROM "t"')).toEqual([
        { times: 1, n: 3 },
      ]);
    });
  });

  it('writes what it has compared, though the SQL gives other rows every time', async () => {
    // Each row lies in a partition by chance: a second run of the SQL would lose some and double others.
    const sql = `SELECT range AS id, TIMESTAMP '2001-01-01' + to_days(CAST(floor(random() * 9) AS INTEGER)) AS ts FROM range(4)`;
    await inEventsProject({ 'models/silver/e.sql': sql }, async ({ rows, run }) => {
      for (let i = 0; i < 4; i++) {
        await run();
        expect((await rows('SELECT id FROM "t" ORDER BY id')).map(({ id }) => Number(id))).toEqual([
          0, 1, 2, 3,
        ]);
      }
    });
  });
});
