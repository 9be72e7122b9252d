import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromArrays, tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { readParquet } from 'parquet-wasm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { icebergValue } from '../../src/engine/iceberg-values.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { buildPartitionSpec, partitionKey, UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import { assignFreshIds, type Schema } from '../../src/iceberg/schema.ts';
import { applyTransform, parseTransform } from '../../src/iceberg/transforms.ts';
import type { NestedField, PrimitiveValue, Type } from '../../src/iceberg/types.ts';
import type { Cell } from '../../src/parquet/cell.ts';
import { writeSelect } from '../../src/parquet/set-writer.ts';
import { StreamWriter } from '../../src/parquet/stream-writer.ts';
import { openStore } from '../../src/storage/store.ts';
import { valuesOf } from '../iceberg/arbitrary-values.ts';

let engine: DuckDbEngine;
let folder: string;
let count = 0;
const objects = openStore();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake stream-é'));
  engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 2 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const column = (name: string, type: Type, required = false): NestedField => ({ id: 0, name, required, type });
const schemaOf = (...fields: NestedField[]): Schema =>
  assignFreshIds({ type: 'struct', 'schema-id': 0, fields }).schema;

function writer(
  schema: Schema,
  spec = UNPARTITIONED,
  options: { memoryBytes?: number; targetFileSizeBytes?: number } = {},
) {
  return new StreamWriter({
    schema,
    spec,
    location: `file://${folder}/t${++count}`,
    objects,
    clock: systemClock,
    ...options,
  });
}

const pathOf = (file: DataFile) => file.filePath.slice('file://'.length).replaceAll("'", "''");

/** DuckDB takes the ends of these ranges for infinities. */
const narrow: Readonly<Record<string, fc.Arbitrary<PrimitiveValue>>> = {
  date: fc.integer({ min: -700_000, max: 2_900_000 }),
  timestamp: fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }),
  timestamptz: fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }),
  timestamp_ns: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  string: fc.string({ unit: fc.constantFrom('a', 'é', '😀', '/', '=', '%', '\u0001', "'"), maxLength: 30 }),
};
const WRITTEN = Object.keys(valuesOf).filter((type) => type !== 'timestamptz_ns');
const SOURCES: readonly (readonly [string, string])[] = [
  ['int', 'identity'],
  ['int', 'bucket[4]'],
  ['long', 'truncate[10]'],
  ['string', 'truncate[2]'],
  ['string', 'identity'],
  ['timestamp', 'day'],
  ['timestamptz', 'hour'],
  ['date', 'month'],
  ['timestamp', 'year'],
  ['uuid', 'bucket[3]'],
  ['decimal(9,2)', 'truncate[100]'],
  ['boolean', 'identity'],
  ['double', 'identity'],
  ['int', 'void'],
];

const sorted = (rows: readonly string[]) => rows.toSorted();
const text = (cells: readonly unknown[]): string =>
  JSON.stringify(cells, (_key, value: unknown) =>
    typeof value === 'bigint'
      ? `${value}n`
      : typeof value === 'number' && (Number.isNaN(value) || !Number.isFinite(value) || Object.is(value, -0))
        ? `#${Object.is(value, -0) ? '-0' : value}`
        : value instanceof Uint8Array ||
            (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer')
          ? `x${Buffer.from(value as Uint8Array).toString('hex')}`
          : value,
  );

it('writes every type so that DuckDB reads the same rows, each in the partition of its file', async () => {
  const fields = fc.record({
    types: fc.array(fc.constantFrom(...WRITTEN), { minLength: 1, maxLength: 4 }),
    source: fc.constantFrom(...SOURCES),
    required: fc.boolean(),
  });
  const cases = fields.chain(({ types, source, required }) => {
    const all = [source[0], ...types];
    const cell = (type: string, i: number) => {
      const value = narrow[type] ?? valuesOf[type]!;
      return i > 0 && required ? value : fc.option(value, { freq: 4 });
    };
    return fc.record({
      types: fc.constant(all),
      transform: fc.constant(source[1]),
      required: fc.constant(required),
      rows: fc.array(fc.tuple(...all.map(cell)), { minLength: 1, maxLength: 30 }),
    });
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ types, transform, required, rows }) => {
      const schema = schemaOf(...types.map((type, i) => column(`c ${i}`, type, i > 0 && required)));
      const spec = buildPartitionSpec(schema, [{ source: 'c 0', transform }]);
      const stream = writer(schema, spec);
      await stream.writeRows(rows);
      const files = await stream.close();
      const seen: string[] = [];
      for (const file of files) {
        const raw = await engine.raw(
          `SELECT * FROM read_parquet(['${pathOf(file)}'], hive_partitioning = false)`,
        );
        expect(file.recordCount).toBe(raw.length);
        for (const row of raw) {
          const cells = types.map((type, i) => icebergValue(type, row[`c ${i}`] ?? null));
          const tuple = [applyTransform(parseTransform(transform), types[0]!, cells[0] ?? null)];
          expect(partitionKey(tuple)).toBe(partitionKey(file.partition));
          seen.push(text(cells));
        }
      }
      expect(sorted(seen)).toEqual(sorted(rows.map((row) => text(row))));
      expect(new Set(files.map((file) => partitionKey(file.partition))).size).toBe(files.length);
    }),
    { numRuns: 150 },
  );
});

const NESTED = schemaOf(
  column('id', 'long', true),
  column('text', 'string'),
  column('x', 'double'),
  column('price', 'decimal(9, 2)'),
  column('big', 'decimal(30, 4)'),
  column('at', 'timestamptz'),
  column('flag', 'boolean'),
  column('u', 'uuid'),
  column('st', {
    type: 'struct',
    fields: [column('a b', 'int'), column('f', 'float')],
  }),
  column('ls', { type: 'list', 'element-id': 0, 'element-required': false, element: 'int' }),
  column('m', {
    type: 'map',
    'key-id': 0,
    key: 'string',
    'value-id': 0,
    'value-required': false,
    value: 'long',
  }),
);

it('gives the same entries as the set writer for the same rows', async () => {
  const sql = `SELECT i AS id, CASE WHEN i % 5 = 0 THEN NULL ELSE repeat('é', (i % 7 * 9)::INT) || i END AS text,
    CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE WHEN i % 13 = 0 THEN NULL ELSE (i - 50.5)::DOUBLE END AS x, ((i - 20) / 4.0)::DECIMAL(9, 2) AS price,
    (i * 1000003 - 5)::DECIMAL(30, 4) AS big, TIMESTAMPTZ '1969-12-31 00:00:00+00' + INTERVAL (i) HOUR AS at, i % 2 = 0 AS flag,
    CAST(lpad(i::VARCHAR, 32, '0') AS UUID) AS u, {'a b': i::INT, 'f': CASE WHEN i > 3 THEN 'nan'::FLOAT ELSE (i + 1)::FLOAT END} AS st, [i::INT, NULL] AS ls, MAP {'k': i} AS m
    FROM range(100) AS t(i)`;
  const spec = buildPartitionSpec(NESTED, [{ source: 'at', transform: 'day' }]);
  const set = await writeSelect(engine, {
    sql,
    schema: NESTED,
    spec,
    location: `file://${folder}/set`,
    objects,
    clock: systemClock,
  });
  const stream = writer(NESTED, spec);
  for (const file of set) {
    const bytes = await readFile(file.filePath.slice('file://'.length));
    for (const batch of tableFromIPC(readParquet(bytes).intoIPCStream()).batches)
      await stream.writeBatch(batch);
  }
  const written = await stream.close();
  const byId = (map: ReadonlyMap<number, unknown> | undefined) =>
    [...(map ?? [])].sort(([a], [b]) => a - b).map(([id, value]) => `${id} ${value}`);
  const entry = (file: DataFile) => ({
    partition: file.partition,
    content: file.content,
    fileFormat: file.fileFormat,
    recordCount: file.recordCount,
    sized: byId(file.columnSizes).map((line) => line.split(' ')[0]),
    valueCounts: byId(file.valueCounts),
    nullValueCounts: byId(file.nullValueCounts),
    nanValueCounts: byId(file.nanValueCounts),
    lowerBounds: byId(file.lowerBounds),
    upperBounds: byId(file.upperBounds),
  });
  const byPartition = (files: readonly DataFile[]) =>
    files.toSorted((a, b) => Number(a.partition[0]) - Number(b.partition[0])).map(entry);
  expect(byPartition(written)).toEqual(byPartition(set));
  const columns = 'id, text, x, price, big, "at", flag, u::VARCHAR AS u, st, ls, m';
  const read = (files: readonly DataFile[]) =>
    engine.all(
      `SELECT ${columns} FROM read_parquet([${files.map((file) => `'${pathOf(file)}'`).join()}], hive_partitioning = false) ORDER BY id`,
    );
  expect(await read(written)).toEqual(await read(set));
});

it('carries the field ids of nested columns, and zstd', async () => {
  const stream = writer(NESTED);
  const cells: Cell[] = [
    1n,
    'a',
    1,
    1n,
    1n,
    1n,
    true,
    'f79c3e09-677c-4bbd-a479-3f349cb785e7',
    [1, null],
    [1, null],
    [['k', null]],
  ];
  await stream.writeRows([cells, [2n, ...Array<Cell>(10).fill(null)]]);
  const [file] = await stream.close();
  const ids = await engine.all(
    `SELECT field_id FROM parquet_schema('${pathOf(file!)}') WHERE field_id IS NOT NULL`,
  );
  expect(ids.map((row) => row['field_id'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 10, 14, 11, 15, 16]);
  const codecs = await engine.all(`SELECT DISTINCT compression FROM parquet_metadata('${pathOf(file!)}')`);
  expect(codecs).toEqual([{ compression: 'ZSTD' }]);
  expect(await engine.all(`SELECT st, ls, m, u::VARCHAR AS u FROM '${pathOf(file!)}' ORDER BY id`)).toEqual([
    { st: { 'a b': 1, f: null }, ls: [1, null], m: { k: null }, u: cells[7] },
    { st: null, ls: null, m: null, u: null },
  ]);
});

it('keeps to its memory with more partitions than fit, and loses no row', async () => {
  const schema = schemaOf(column('id', 'long', true), column('text', 'string'));
  const spec = buildPartitionSpec(schema, [{ source: 'id', transform: 'bucket[64]' }]);
  const memoryBytes = 16 * 1024 * 1024;
  const stream = writer(schema, spec, { memoryBytes });
  const rows = 60_000;
  for (let start = 0; start < rows; start += 1000) {
    await stream.writeRows(
      Array.from({ length: 1000 }, (_, i) => [BigInt(start + i), `${start + i}`.padEnd(600, 'x')]),
    );
  }
  const files = await stream.close();
  expect(stream.peakBytes).toBeLessThanOrEqual(memoryBytes);
  expect(files.length).toBeGreaterThan(64);
  const paths = files.map((file) => `'${pathOf(file)}'`).join();
  expect(
    await engine.all(
      `SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids FROM read_parquet([${paths}], hive_partitioning = false)`,
    ),
  ).toEqual([{ n: rows, ids: rows }]);
});

it('closes a file when it has its size, in row groups', async () => {
  const schema = schemaOf(column('id', 'long', true), column('noise', 'double', true));
  const stream = writer(schema, UNPARTITIONED, {
    memoryBytes: 16 * 1024 * 1024,
    targetFileSizeBytes: 4 * 1024 * 1024,
  });
  for (let start = 0; start < 1_200_000; start += 100_000) {
    const ids = BigInt64Array.from({ length: 100_000 }, (_, i) => BigInt(start + i));
    const noise = Float64Array.from({ length: 100_000 }, (_, i) => Math.sin(start + i));
    for (const batch of tableFromArrays({ id: ids, noise }).batches) await stream.writeBatch(batch);
  }
  const files = await stream.close();
  expect(files.length).toBeGreaterThan(1);
  expect(files.some((file) => (file.splitOffsets?.length ?? 0) > 1)).toBe(true);
  const paths = files.map((file) => `'${pathOf(file)}'`).join();
  expect(await engine.all(`SELECT count(DISTINCT id)::INT AS ids FROM read_parquet([${paths}])`)).toEqual([
    { ids: 1_200_000 },
  ]);
});

it.each([
  ['a null in a required column', [null, 'a']],
  ['a value of another type', ['1', 'a']],
  ['a lone surrogate', [1n, '\ud800']],
])('refuses %s and takes no more rows', async (_what, row) => {
  const stream = writer(schemaOf(column('id', 'long', true), column('text', 'string')));
  await expect(stream.writeRows([row])).rejects.toMatchObject({ kind: 'invalid-argument' });
  await expect(stream.close()).rejects.toMatchObject({ kind: 'invalid-argument' });
  expect(await stream.abort()).toEqual([]);
});

it('tells a failing store, and what was stored before', async () => {
  const schema = schemaOf(column('id', 'long', true));
  let puts = 0;
  const failing = new Proxy(objects, {
    get(target, key) {
      if (key !== 'put') return Reflect.get(target, key);
      return (location: string, bytes: Uint8Array) => {
        if (++puts > 2) return Promise.reject(new Error('disk full'));
        return target.put(location, bytes);
      };
    },
  });
  const spec = buildPartitionSpec(schema, [{ source: 'id', transform: 'identity' }]);
  const stream = new StreamWriter({
    schema,
    spec,
    location: `file://${folder}/fail`,
    objects: failing,
    clock: systemClock,
  });
  await stream.writeRows(Array.from({ length: 6 }, (_, i) => [BigInt(i)]));
  await expect(stream.close()).rejects.toThrow('disk full');
  expect(await stream.abort()).toHaveLength(2);
});
