import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { runPipeline } from '../../src/pipeline/run.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';

const FILES = {
  'lake.yaml': 'version: 1\nname: t\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\n',
  'models/bronze/e.sql': 'SELECT * FROM source',
  'models/bronze/e.yml':
    'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
  // Only the newest file: what is not in it stays as it was.
  'models/silver/e.sql':
    'SELECT CAST(id AS INTEGER) AS id, CAST(v AS INTEGER) AS v FROM bronze.e WHERE _source_file = (SELECT max(_source_file) FROM bronze.e)',
  'models/silver/e.yml': 'version: 1\nmaterialisation: upsert\nkey: [id]\npartition_by: ["bucket(2, id)"]\n',
};

async function inProject(use: (root: string, lake: Lake) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lake-upsert-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  for (const [path, text] of Object.entries(FILES)) await write(path, text);
  await mkdir(join(root, 'data'));
  const lake = await openLake(await loadLake(root, {}), systemClock);
  try {
    await use(root, lake);
  } finally {
    await lake.close();
    await rm(root, { recursive: true, force: true });
  }
}

async function table(root: string, lake: Lake): Promise<Map<number, number>> {
  const engine = await openDuckDb({ tempDirectory: join(root, 'tmp'), threads: 1 });
  try {
    await createTableView(engine, '"t"', await planScan(await openTable(lake, parseTableName('silver.e'))));
    const rows = await engine.all('SELECT id, v FROM "t" ORDER BY id');
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    return new Map(rows.map(({ id, v }) => [Number(id), Number(v)]));
  } finally {
    await engine.close();
  }
}

const csv = (rows: ReadonlyMap<number, number>) =>
  `id,v\n${[...rows].map(([id, v]) => `${id},${v}`).join('\n')}\n`;

describe('upsert', () => {
  it('equals a map that takes every batch in turn, and a run without a new one changes nothing', async () => {
    const batch = fc
      .dictionary(fc.constantFrom('1', '2', '3', '4', '5'), fc.integer({ min: 0, max: 3 }), { minKeys: 1 })
      .map((rows) => new Map(Object.entries(rows).map(([id, v]) => [Number(id), v])));
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
        await inProject(async (root, lake) => {
          const expected = new Map<number, number>();
          for (const [i, rows] of batches.entries()) {
            await writeFile(join(root, 'data', `${i}.csv`), csv(rows));
            await runPipeline(lake);
            for (const [id, v] of rows) expected.set(id, v);
            expect(await table(root, lake)).toEqual(new Map([...expected].sort(([a], [b]) => a - b)));
          }
          const again = await runPipeline(lake);
          expect(again.models.map(({ status }) => status)).toEqual(['unchanged', 'unchanged']);
        });
      }),
      { numRuns: 4 },
    );
  });

  it('stops at a key that comes twice, by name, and publishes nothing', async () => {
    await inProject(async (root, lake) => {
      await writeFile(join(root, 'data/0.csv'), 'id,v\n1,1\n1,2\n');
      await expect(runPipeline(lake)).rejects.toMatchObject({
        kind: 'check-failed',
        message: expect.stringContaining('silver.e: unique: id is unique: 1 offender'),
      });
      await writeFile(join(root, 'data/1.csv'), 'id,v\n1,3\n');
      await runPipeline(lake);
      expect(await table(root, lake)).toEqual(new Map([[1, 3]]));
    });
  });
});
