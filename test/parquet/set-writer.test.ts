import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { bind } from '../../src/iceberg/expressions.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { buildPartitionSpec, UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import { fileMayMatch, partitionMayMatch } from '../../src/iceberg/pruning.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { buildSortOrder } from '../../src/iceberg/sort-order.ts';
import { decodeValue } from '../../src/iceberg/values.ts';
import { writeSelect } from '../../src/parquet/set-writer.ts';
import { openStore } from '../../src/storage/store.ts';

let engine: DuckDbEngine;
let folder: string;
const objects = openStore();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake writer-é'));
  engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 2 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'text', required: false, type: 'string' },
    { id: 3, name: 'x', required: false, type: 'double' },
    { id: 4, name: 'price', required: false, type: 'decimal(9, 2)' },
    { id: 5, name: 'at', required: false, type: 'timestamptz' },
    {
      id: 6,
      name: 'st',
      required: false,
      type: {
        type: 'struct',
        fields: [
          { id: 7, name: 'a b', required: false, type: 'int' },
          { id: 8, name: 'c', required: false, type: 'string' },
        ],
      },
    },
    {
      id: 9,
      name: 'ls',
      required: false,
      type: { type: 'list', 'element-id': 10, 'element-required': false, element: 'int' },
    },
    {
      id: 11,
      name: 'm',
      required: false,
      type: {
        type: 'map',
        'key-id': 12,
        key: 'string',
        'value-id': 13,
        'value-required': false,
        value: 'long',
      },
    },
  ],
};

const ROWS = `SELECT i AS id, CASE WHEN i % 5 = 0 THEN NULL ELSE repeat('é', (i % 7 * 100)::INT) || i END AS text,
  CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE WHEN i % 13 = 0 THEN NULL ELSE i - 50.5 END AS x, (i - 20) / 4.0 AS price,
  TIMESTAMPTZ '1969-12-31 00:00:00+00' + INTERVAL (i) HOUR AS at, {'a b': i, 'c': CASE WHEN i > 3 THEN 'k' END} AS st, [i, NULL] AS ls, MAP {'k': i} AS m
  FROM range(100) AS t(i)`;

const request = (name: string, spec = UNPARTITIONED) => ({
  schema: SCHEMA,
  spec,
  location: `file://${folder}/${name}`,
  objects,
  clock: systemClock,
});

async function readBack(file: DataFile) {
  const bytes = await readFile(file.filePath.slice('file://'.length));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const rows: Record<string, unknown>[] = await parquetReadObjects({ file: buffer, compressors });
  return { size: bytes.length, rows, footer: parquetMetadata(buffer) };
}

it('writes metrics that another Parquet reader finds in the files', async () => {
  const spec = buildPartitionSpec(SCHEMA, [{ source: 'at', transform: 'day' }]);
  const files = await writeSelect(engine, { ...request('metrics', spec), sql: ROWS });
  expect(files.map((file) => file.partition)).toEqual([[-1], [0], [1], [2], [3]]);
  for (const file of files) {
    const { size, rows, footer } = await readBack(file);
    expect(file.fileSizeInBytes).toBe(size);
    expect(file.recordCount).toBe(rows.length);
    const ids = footer.schema.flatMap((element) =>
      element.field_id === undefined ? [] : [element.field_id],
    );
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(footer.row_groups[0]?.columns[0]?.meta_data?.codec).toBe('ZSTD');
    const texts = rows.flatMap((row) => (typeof row['text'] === 'string' ? [row['text']] : []));
    const numbers = rows.flatMap((row) =>
      typeof row['x'] === 'number' && !Number.isNaN(row['x']) ? [row['x']] : [],
    );
    expect(file.nullValueCounts?.get(2)).toBe(rows.length - texts.length);
    expect(file.nanValueCounts?.get(3)).toBe(rows.filter((row) => Number.isNaN(row['x'])).length);
    expect(file.nullValueCounts?.get(3)).toBe(rows.filter((row) => row['x'] === null).length);
    expect(decodeValue('double', file.lowerBounds!.get(3)!)).toBe(Math.min(...numbers));
    expect(decodeValue('double', file.upperBounds!.get(3)!)).toBe(Math.max(...numbers));
    const bytesOf = (text: string) => Buffer.from(text, 'utf8');
    for (const text of texts) {
      expect(Buffer.compare(file.lowerBounds!.get(2)!, bytesOf(text))).toBeLessThanOrEqual(0);
      expect(Buffer.compare(file.upperBounds!.get(2)!, bytesOf(text))).toBeGreaterThanOrEqual(0);
    }
    expect(file.lowerBounds!.get(2)!.length).toBeLessThanOrEqual(64);
    const prices = rows.map((row) => Math.round(Number(row['price']) * 100));
    expect(decodeValue('decimal(9, 2)', file.lowerBounds!.get(4)!)).toBe(BigInt(Math.min(...prices)));
    const times = rows.map((row) => (row['at'] instanceof Date ? row['at'].getTime() : Number.NaN));
    expect(decodeValue('timestamptz', file.upperBounds!.get(5)!)).toBe(BigInt(Math.max(...times)) * 1000n);
    expect(file.valueCounts?.get(7)).toBe(rows.length);
    expect(file.valueCounts?.has(10)).toBe(false);
    expect(file.lowerBounds?.has(13)).toBe(false);
  }
  expect(files.reduce((sum, file) => sum + file.recordCount, 0)).toBe(100);
});

it('partitions by several transforms with nulls and awkward text, each row in its own partition once', async () => {
  const spec = buildPartitionSpec(SCHEMA, [
    { source: 'text', transform: 'identity' },
    { source: 'id', transform: 'bucket[4]' },
  ]);
  const sql = `SELECT i AS id, [NULL, '', 'a/b=c%20', 'ü', ''' "'][1 + i % 5] AS text FROM range(50) AS t(i)`;
  const files = await writeSelect(engine, { ...request('awkward', spec), sql });
  const seen = new Set<string>();
  for (const file of files) {
    const { rows } = await readBack(file);
    for (const row of rows) {
      expect(row['text'] ?? null).toBe(file.partition[0]);
      seen.add(String(row['id']));
    }
  }
  expect(seen.size).toBe(50);
  expect(new Set(files.map((file) => file.filePath)).size).toBe(files.length);
});

it('rolls over by size and sorts', async () => {
  const sort = {
    'order-id': 1,
    fields: [
      {
        transform: 'identity',
        'source-id': 1,
        direction: 'desc' as const,
        'null-order': 'nulls-last' as const,
      },
    ],
  };
  const files = await writeSelect(engine, {
    ...request('sorted'),
    sql: 'SELECT (hash(i) % 1000003)::BIGINT AS id FROM (SELECT (i % 1000000)::INT AS i FROM range(500000) AS t(i))',
    sort,
    targetFileSizeBytes: 100_000,
  });
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) {
    const { rows } = await readBack(file);
    const ids = rows.map((row) => Number(row['id']));
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    expect(file.sortOrderId).toBe(1);
  }
});

it.each([
  ['a null in a required column', 'SELECT NULL::BIGINT AS id', 'invalid-argument'],
  ['a missing required column', "SELECT 'a' AS text", 'invalid-argument'],
  ['an unknown column', 'SELECT 1 AS id, 2 AS txet', 'invalid-argument'],
  ['a value that does not fit', "SELECT 1 AS id, 'abc' AS x", 'invalid-argument'],
  ['broken SQL', 'SELECT 1 AS id FROM', 'usage'],
])('leaves no file after %s', async (_what, sql, kind) => {
  const spec = buildPartitionSpec(SCHEMA, [{ source: 'id', transform: 'bucket[2]' }]);
  const bad = sql.includes('FROM') || sql.includes('txet') ? sql : `${sql} UNION ALL ${sql}`;
  await expect(writeSelect(engine, { ...request('bad', spec), sql: bad })).rejects.toMatchObject({ kind });
  const left = existsSync(join(folder, 'bad')) ? await readdir(join(folder, 'bad'), { recursive: true }) : [];
  expect(left.filter((name) => name.endsWith('.parquet'))).toEqual([]);
});

it('writes nothing for no rows', async () => {
  expect(await writeSelect(engine, { ...request('none'), sql: 'SELECT 1 AS id WHERE false' })).toEqual([]);
});

it('partitions and sorts by fields inside structs, also where the query has them in another order', async () => {
  const spec = buildPartitionSpec(SCHEMA, [
    { source: 'st.a b', transform: 'truncate[10]' },
    { source: 'st.c', transform: 'identity' },
  ]);
  const sort = buildSortOrder(SCHEMA, [{ source: 'st.a b', direction: 'desc' }]);
  const sql = `SELECT i AS id, CASE WHEN i % 7 > 0 THEN {'c': CASE WHEN i % 2 = 0 THEN 'k' END, 'a b': (i * 37) % 30} END AS st FROM range(60) AS t(i)`;
  const files = await writeSelect(engine, { ...request('nested', spec), sql, sort });
  let rowCount = 0;
  for (const file of files) {
    const { rows } = await readBack(file);
    const found = rows.map((row) => (row['st'] ?? null) as { 'a b': number; c?: string | null } | null);
    for (const st of found) {
      expect(file.partition).toEqual([st === null ? null : st['a b'] - (st['a b'] % 10), st?.c ?? null]);
    }
    const keys = found.flatMap((st) => (st === null ? [] : [st['a b']]));
    expect(keys).toEqual(keys.toSorted((a, b) => b - a));
    expect(file.sortOrderId).toBe(1);
    rowCount += rows.length;
    for (let value = 0; value < 30; value++) {
      const bound = bind({ kind: 'eq', column: 'st.a b', literal: value }, SCHEMA);
      const isRead =
        partitionMayMatch(bound, SCHEMA, spec, file.partition) && fileMayMatch(bound, SCHEMA, file);
      if (keys.includes(value)) expect(isRead).toBe(true);
      if (keys.length === 0 || value < Math.min(...keys) || value > Math.max(...keys))
        expect(isRead).toBe(false);
    }
  }
  expect(rowCount).toBe(60);
});

const FIXED: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'key', required: false, type: 'fixed[4]' },
    { id: 3, name: 'u', required: false, type: 'uuid' },
    { id: 4, name: 'at', required: false, type: 'time' },
    {
      id: 5,
      name: 'keys',
      required: false,
      type: { type: 'list', 'element-id': 6, 'element-required': false, element: 'fixed[2]' },
    },
  ],
};
const FIXED_ROWS = `SELECT i AS id, CASE WHEN i % 3 > 0 THEN unhex(printf('%08x', i % 5)) END AS key,
  '00112233-4455-6677-8899-aabbccddeeff' AS u, TIME '01:02:03.000004' AS at, [unhex('00ff'), NULL] AS keys FROM range(40) AS t(i)`;

it('writes fixed bytes and uuids in the Parquet types that Iceberg asks for, with their metrics', async () => {
  const spec = buildPartitionSpec(FIXED, [{ source: 'key', transform: 'identity' }]);
  const sort = buildSortOrder(FIXED, [{ source: 'id', direction: 'desc' }]);
  const files = await writeSelect(engine, {
    ...request('fixed', spec),
    schema: FIXED,
    sql: FIXED_ROWS,
    sort,
  });
  expect(files.length).toBe(6);
  for (const file of files) {
    const { footer } = await readBack(file);
    const element = (id: number) => footer.schema.find((one) => one.field_id === id);
    expect(element(2)).toMatchObject({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 4 });
    expect(element(6)).toMatchObject({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2 });
    expect(element(3)).toMatchObject({
      type: 'FIXED_LEN_BYTE_ARRAY',
      type_length: 16,
      logical_type: { type: 'UUID' },
    });
    const key = file.partition[0];
    expect(file.lowerBounds?.get(2)).toEqual(key === null ? undefined : key);
    expect(file.sortOrderId).toBe(1);
    const path = file.filePath.slice('file://'.length);
    const rows = await engine.all(
      `SELECT id, hex(key) AS key, u, "at", keys FROM read_parquet(['${path}'], hive_partitioning = false)`,
    );
    const ids = rows.map((row) => Number(row['id']));
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    for (const row of rows) {
      const id = Number(row['id']);
      expect(row).toEqual({
        id,
        key: id % 3 > 0 ? `0000000${id % 5}` : null,
        u: '00112233-4455-6677-8899-aabbccddeeff',
        at: '01:02:03.000004',
        keys: ['AP8=', null],
      });
    }
  }
  expect(files.reduce((sum, file) => sum + file.recordCount, 0)).toBe(40);
});

it('writes uuids as Parquet has them without fixed columns too', async () => {
  const schema = { ...FIXED, fields: FIXED.fields.filter((field) => field.type === 'uuid') };
  const sql = "SELECT '00112233-4455-6677-8899-aabbccddeeff' AS u";
  const [file] = await writeSelect(engine, { ...request('uuid'), schema, sql });
  const { footer } = await readBack(file!);
  expect(footer.schema[1]).toMatchObject({
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: 16,
    logical_type: { type: 'UUID' },
  });
});

it('leaves no file of fixed columns after bytes of another length', async () => {
  const spec = buildPartitionSpec(FIXED, [{ source: 'id', transform: 'bucket[3]' }]);
  const sql =
    "SELECT i AS id, unhex(CASE WHEN i < 90000 THEN '00000001' ELSE '01' END) AS key FROM range(100000) AS t(i)";
  await expect(
    writeSelect(engine, { ...request('wrong', spec), schema: FIXED, sql, targetFileSizeBytes: 10_000 }),
  ).rejects.toMatchObject({ kind: 'invalid-argument' });
  const left = existsSync(join(folder, 'wrong'))
    ? await readdir(join(folder, 'wrong'), { recursive: true })
    : [];
  expect(left.filter((name) => name.endsWith('.parquet'))).toEqual([]);
});

/** Where a row's own columns say that it belongs, so that the files' entries can be checked against the rows in them. */
async function rowsByPartition(files: readonly DataFile[], key: string): Promise<void> {
  const rows = await engine.all(
    `SELECT filename, CAST(count(*) AS INTEGER) AS rows, CAST(count(DISTINCT ${key}) AS INTEGER) AS keys, CAST(count(${key}) AS INTEGER) AS known, CAST(min(${key}) AS INTEGER) AS key
     FROM read_parquet([${files.map((file) => `'${file.filePath.slice('file://'.length)}'`).join(', ')}], filename = true, hive_partitioning = false) GROUP BY filename`,
  );
  const found = new Map(rows.map((row) => [`file://${row['filename']}`, row]));
  for (const file of files) {
    const row = found.get(file.filePath);
    const [value] = file.partition;
    expect(row).toMatchObject({
      rows: file.recordCount,
      keys: value === null ? 0 : 1,
      known: value === null ? 0 : file.recordCount,
      key: value,
    });
  }
}

const TIMES = (days: number): string =>
  `SELECT i::BIGINT AS id, CASE WHEN i % 17 > 0 THEN TIMESTAMPTZ '1969-12-01 23:59:59.999999+00' + INTERVAL (i * 7919 % ${days}) DAY END AS at FROM range(20000) AS t(i)`;
const DAY = "datediff('day', DATE '1970-01-01', CAST(\"at\" AS DATE))";

it.each([
  ['whose time the planner knows to be short', 200, (sql: string) => sql],
  ['of more days than are written together', 400, (sql: string) => sql],
  ['of which the planner knows nothing', 300, (sql: string) => `${sql} UNION ${sql}`],
])(
  'writes one file a day, before 1970 and of null too, for rows in no order %s',
  async (_what, days, query) => {
    await engine.run(`CREATE OR REPLACE TABLE times AS ${TIMES(days)}`);
    const spec = buildPartitionSpec(SCHEMA, [{ source: 'at', transform: 'day' }]);
    const name = `days${days}`;
    const sql = query('SELECT * FROM times');
    const files = await writeSelect(engine, { ...request(name, spec), sql });
    expect(files.length).toBe(days + 1);
    expect(new Set(files.map((file) => String(file.partition[0]))).size).toBe(days + 1);
    expect(files.reduce((sum, file) => sum + file.recordCount, 0)).toBe(20_000);
    // The second time the partitions have folders already.
    const all = [...files, ...(await writeSelect(engine, { ...request(name, spec), sql }))];
    await rowsByPartition(all, DAY);
    expect(new Set(all.map((file) => basename(file.filePath))).size).toBe(2 * (days + 1));
    const left = await readdir(join(folder, name), { recursive: true });
    expect(left.filter((path) => path.endsWith('.parquet')).length).toBe(2 * (days + 1));
    expect(left.filter((path) => path.includes('in-progress'))).toEqual([]);
  },
);

it('splits the partitions among many whose file would exceed the target', async () => {
  // Of so many row groups that two threads that fill one file at the same moment still leave another.
  await engine.run(
    "CREATE OR REPLACE TABLE uneven AS SELECT i::BIGINT AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (CASE WHEN i % 100 < 98 THEN 0 ELSE i % 7 END) DAY AS at, md5(i::VARCHAR) AS text FROM range(600000) AS t(i)",
  );
  const spec = buildPartitionSpec(SCHEMA, [{ source: 'at', transform: 'day' }]);
  const sql = 'SELECT * FROM uneven';
  const files = await writeSelect(engine, {
    ...request('uneven', spec),
    sql,
    targetFileSizeBytes: 1_500_000,
  });
  expect(files.filter((file) => file.partition[0] === 19_723).length).toBeGreaterThan(1);
  expect(files.reduce((sum, file) => sum + file.recordCount, 0)).toBe(600_000);
  await rowsByPartition(files, DAY);
  const left = await readdir(join(folder, 'uneven'), { recursive: true });
  expect(left.filter((path) => path.endsWith('.parquet')).length).toBe(files.length);
});

it('removes every file of a batch when a row of it does not fit', async () => {
  await engine.run(
    "CREATE OR REPLACE TABLE holes AS SELECT CASE WHEN i <> 9999 THEN i END AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i % 50) DAY AS at FROM range(20000) AS t(i)",
  );
  const spec = buildPartitionSpec(SCHEMA, [{ source: 'at', transform: 'day' }]);
  const work = writeSelect(engine, { ...request('holes', spec), sql: 'SELECT * FROM holes' });
  await expect(work).rejects.toMatchObject({ kind: 'invalid-argument' });
  const left = await readdir(join(folder, 'holes'), { recursive: true });
  expect(left.filter((path) => path.endsWith('.parquet') || path.includes('in-progress'))).toEqual([]);
});
