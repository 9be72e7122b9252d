import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { icebergValue } from '../../src/engine/iceberg-values.ts';
import { transformSql } from '../../src/engine/transform-sql.ts';
import { applyTransform, parseTransform, transformResultType } from '../../src/iceberg/transforms.ts';
import type { Value } from '../../src/iceberg/types.ts';

let engine: DuckDbEngine;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-duckdb-'));
  engine = await openDuckDb({ tempDirectory: folder, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

it('gives values to JSON without losing a digit', async () => {
  const [row] = await engine.all(
    `SELECT 5::BIGINT AS small, 9007199254740993 AS big, 0.10::DECIMAL(9, 2) AS price, -1234567890123456789012345678.0123456790::DECIMAL(38, 10) AS huge,
     0.33333334::FLOAT AS f, 'nan'::DOUBLE AS nan, TIMESTAMPTZ '2020-01-01 01:00:00.5+01' AS tz, MAP {'a': [1, 2]} AS m, 'ab'::BLOB AS bin, {'x': NULL} AS s`,
  );
  expect(row).toEqual({
    small: 5,
    big: '9007199254740993',
    price: 0.1,
    huge: '-1234567890123456789012345678.0123456790',
    f: 0.33333334,
    nan: 'NaN',
    tz: '2020-01-01 00:00:00.5Z',
    m: { a: [1, 2] },
    bin: 'YWI=',
    s: { x: null },
  });
});

it('streams rows while another query runs', async () => {
  let seen = 0;
  for await (const row of engine.rows('SELECT i FROM range(10000) AS t(i)')) {
    if (seen === 5000) expect(await engine.all('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(row['i']).toBe(seen++);
  }
  expect(seen).toBe(10000);
});

it('says where a query is wrong', async () => {
  await expect(engine.all('SELECT 1\nFROM nothing')).rejects.toMatchObject({
    kind: 'usage',
    where: 'query, line 2, column 6',
  });
  await expect(engine.tableNames('SELEC 1')).rejects.toMatchObject({
    kind: 'usage',
    where: 'query, line 1, column 1',
  });
  await expect(engine.tableNames('DROP TABLE a.b')).rejects.toMatchObject({ kind: 'usage' });
  const file = join(folder, 'cut.parquet');
  await writeFile(file, 'PAR1 cut short');
  await expect(engine.all(`SELECT * FROM '${file}'`)).rejects.toMatchObject({ kind: 'corrupt' });
});

it('finds the tables of a query, not its CTEs', async () => {
  const names = await engine.tableNames(
    'WITH c AS (SELECT * FROM a.b) SELECT * FROM c JOIN "g d".f USING (x) WHERE y IN (SELECT 1 FROM h.i)',
  );
  expect(names).toEqual(
    ['"g d"."f"', '"h"."i"', '"a"."b"'].sort((a, b) => names.indexOf(a) - names.indexOf(b)),
  );
  expect(names).toHaveLength(3);
});

const MICROS = -1_000_001n;
const CASES: readonly (readonly [string, string, string, Value])[] = [
  ['bucket[16]', 'long', '34::BIGINT', 34n],
  ['bucket[16]', 'string', "'iceberg'", 'iceberg'],
  ['bucket[16]', 'decimal(9, 2)', '14.20::DECIMAL(9, 2)', 1420n],
  ['bucket[16]', 'date', "DATE '2017-11-16'", 17486],
  ['bucket[16]', 'timestamptz', "TIMESTAMPTZ '1969-12-31 23:59:58.999999+00'", MICROS],
  ['bucket[16]', 'time', "TIME '22:31:08'", 81_068_000_000n],
  [
    'bucket[16]',
    'uuid',
    "'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID",
    'f79c3e09-677c-4bbd-a479-3f349cb785e7',
  ],
  ['bucket[16]', 'binary', "'\\x00\\x01\\xFF'::BLOB", Uint8Array.of(0, 1, 255)],
  ['truncate[10]', 'int', '(-1)::INTEGER', -1],
  ['truncate[10]', 'long', '(-11)::BIGINT', -11n],
  ['truncate[50]', 'decimal(9, 2)', '(-10.65)::DECIMAL(9, 2)', -1065n],
  ['truncate[3]', 'string', "'🙂éab'", '🙂éab'],
  ['truncate[2]', 'binary', "'abc'::BLOB", Uint8Array.of(97, 98, 99)],
  ...['year', 'month', 'day', 'hour'].flatMap((transform): [string, string, string, Value][] => [
    [transform, 'timestamp', "TIMESTAMP '1969-12-31 23:59:58.999999'", MICROS],
    [transform, 'timestamptz', "TIMESTAMPTZ '1969-12-31 23:59:58.999999+00'", MICROS],
  ]),
  ['month', 'date', "DATE '1969-11-30'", -32],
  ['identity', 'string', "'a/b=c%20'", 'a/b=c%20'],
];

it.each(CASES)('%s of a %s is the same in SQL and in the spec: %s', async (transform, type, sql, value) => {
  const parsed = parseTransform(transform);
  const result = transformResultType(parsed, type);
  const nulls = await engine.raw(
    `SELECT ${transformSql(transform, type, 'v')} AS r FROM (SELECT ${sql} AS v UNION ALL SELECT NULL) ORDER BY v NULLS LAST`,
  );
  const got = nulls.map((row) =>
    icebergValue(typeof result === 'string' ? result : 'string', row['r'] ?? null),
  );
  expect(got).toEqual([applyTransform(parsed, type, value), null]);
});
