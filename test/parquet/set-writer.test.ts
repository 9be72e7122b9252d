import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { buildPartitionSpec, UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
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
