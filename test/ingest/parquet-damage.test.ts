import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { isKind } from '../../src/errors.ts';
import { ingest } from '../../src/ingest/ingest.ts';
import { openTable } from '../../src/table/table.ts';
import { luckOf } from '../faults/broken-input.ts';
import { column, type IngestLake, openIngestLake, TABLE } from './ingest-lake.ts';

const ROWS = 20_000;

let lake: IngestLake;
beforeEach(async () => {
  lake = await openIngestLake();
  await lake.createTable([
    column('id', 'long', true),
    column('name', 'string'),
    column('x', 'double'),
    column('day', 'date'),
  ]);
});
afterEach(() => lake.dispose());

async function parquetFile(codec: string): Promise<Buffer> {
  const path = await lake.file('whole.parquet', '');
  const engine = await openDuckDb({ tempDirectory: `${path}.spill`, threads: 1 });
  await engine.run(
    `COPY (SELECT range AS id, 'name ' || (range * 7919 % 1000) AS name, (range / 3.0)::DOUBLE AS x, DATE '2001-01-01' + (range % 50)::INT AS day FROM range(${ROWS}))
     TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 4096, COMPRESSION ${codec})`,
  );
  await engine.close();
  return readFile(path);
}

async function objects(): Promise<number> {
  let count = 0;
  const { metadata } = await openTable(lake, TABLE);
  for await (const page of lake.objects.list(`${metadata.location}/data/`)) count += page.length;
  return count;
}

it.each(['snappy', 'zstd', 'uncompressed'])(
  'refuses pages with flipped bits, or takes all rows (%s)',
  async (codec) => {
    const whole = await parquetFile(codec);
    const pagesEnd = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
    let refused = 0;
    for (let seed = 0; seed < 10; seed++) {
      const luck = luckOf(seed);
      const bytes = Buffer.from(whole);
      for (let flip = 0; flip < 8; flip++) bytes[4 + luck.integer(pagesEnd - 4)]! ^= 1 << luck.integer(8);
      const path = await lake.file(`${codec}-${seed}.parquet`, bytes);
      const before = await objects();
      try {
        expect((await ingest(lake, TABLE, { files: [path] })).rows, `seed ${seed}`).toBe(ROWS);
      } catch (error) {
        refused++;
        if (!isKind(error, 'corrupt')) throw error;
        expect(`${error.where} ${error.message}`, `seed ${seed}`).toContain(path);
        expect(await objects()).toBe(before);
      }
    }
    if (codec !== 'uncompressed') expect(refused).toBeGreaterThan(0);
  },
);

it('takes a whole file after a damaged one, in the same process', async () => {
  const whole = await parquetFile('snappy');
  const broken = Buffer.from(whole);
  broken.fill(0xff, 4, 2000);
  const bad = await lake.file('bad.parquet', broken);
  await expect(ingest(lake, TABLE, { files: [bad] })).rejects.toMatchObject({ kind: 'corrupt', where: bad });
  const good = await lake.file('good.parquet', whole);
  expect((await ingest(lake, TABLE, { files: [good] })).rows).toBe(ROWS);
  expect(await lake.rows(TABLE, 'count(DISTINCT id)::INT AS n')).toEqual([{ n: ROWS }]);
});
