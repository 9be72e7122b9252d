import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { type PartitionSpec, UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { NestedField, Value } from '../../src/iceberg/types.ts';
import type { ScanTask } from '../../src/table/scan.ts';
import { openFixture } from '../table/fixture-table.ts';

let engine: DuckDbEngine;
let folder: string;
let base: TableMetadata;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-projection-'));
  engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  base = (await openFixture('v2_evolved')).metadata;
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

/** A Parquet file as another writer leaves it. */
async function parquet(select: string, options = '', more: Partial<DataFile> = {}): Promise<DataFile> {
  const path = join(folder, `${++files}.parquet`);
  await engine.run(`COPY (${select}) TO '${path}' (FORMAT parquet${options})`);
  const size = (await stat(path)).size;
  return {
    content: 'data',
    filePath: `file://${path}`,
    fileFormat: 'PARQUET',
    partition: [],
    recordCount: 1,
    fileSizeInBytes: size,
    ...more,
  };
}

const column = (id: number, name: string, type: NestedField['type'], more = {}): NestedField => ({
  id,
  name,
  required: false,
  type,
  ...more,
});

const task = (dataFile: DataFile, spec = UNPARTITIONED, deletes: readonly DataFile[] = []): ScanTask => ({
  dataFile,
  spec,
  sequenceNumber: 1,
  deletes: deletes.map((file) => ({ dataFile: file, spec, sequenceNumber: 2 })),
});

interface Case {
  readonly fields: readonly NestedField[];
  readonly tasks: readonly ScanTask[];
  readonly mapping?: unknown;
  readonly version?: number;
  readonly order?: string;
}

async function read({ fields, tasks, mapping, version = 2, order = '1' }: Case): Promise<unknown[]> {
  const schema = { type: 'struct' as const, 'schema-id': 0, fields };
  const properties: Record<string, string> =
    mapping === undefined ? {} : { 'schema.name-mapping.default': JSON.stringify(mapping) };
  const metadata = { ...base, 'format-version': version, properties, schemas: [schema] };
  await createTableView(engine, 'seen', { table: 't', metadata, schema, tasks });
  return engine.all(`SELECT * FROM seen ORDER BY ${order}`);
}

const POINT = column(2, 'place', {
  type: 'struct',
  fields: [column(3, 'lat', 'double'), column(4, 'long', 'double')],
});

it('refuses a file without field ids where the table maps no names, and goes on working', async () => {
  const file = await parquet("SELECT 1::BIGINT AS id, {'lat': 1.5::DOUBLE} AS place");
  await expect(read({ fields: [column(1, 'id', 'long')], tasks: [task(file)] })).rejects.toMatchObject({
    kind: 'unsupported',
    where: file.filePath,
  });
  expect(await engine.all('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

it('finds columns of files without ids by every name that the mapping gives, nested ones too', async () => {
  const old = await parquet(
    "SELECT {'latitude': 1.5::FLOAT, 'x': 7} AS location, 1::INT AS record_id, [{'w': 3}] AS items, MAP {'k': {'w': 4}} AS props",
  );
  const young = await parquet(
    "SELECT 2::BIGINT AS id, {'long': 2.5::DOUBLE, 'lat': 0.5::DOUBLE} AS place, [{'weight': 5}] AS items, MAP {'k': {'weight': 6}} AS props",
  );
  const weight = [{ 'field-id': 7, names: ['weight', 'w'] }];
  const item = { type: 'struct' as const, fields: [column(7, 'weight', 'int')] };
  const inMap = { type: 'struct' as const, fields: [column(11, 'weight', 'int')] };
  const rows = await read({
    fields: [
      column(1, 'id', 'long'),
      POINT,
      column(5, 'items', { type: 'list', 'element-id': 6, 'element-required': false, element: item }),
      column(8, 'props', {
        type: 'map',
        'key-id': 9,
        key: 'string',
        'value-id': 10,
        'value-required': false,
        value: inMap,
      }),
    ],
    tasks: [task(old), task(young)],
    mapping: [
      { 'field-id': 1, names: ['id', 'record_id'] },
      {
        'field-id': 2,
        names: ['place', 'location'],
        fields: [
          { 'field-id': 3, names: ['lat', 'latitude'] },
          { 'field-id': 4, names: ['long'] },
          { names: ['x'] },
        ],
      },
      { 'field-id': 5, names: ['items'], fields: [{ 'field-id': 6, names: ['element'], fields: weight }] },
      {
        'field-id': 8,
        names: ['props'],
        fields: [
          { 'field-id': 9, names: ['key'] },
          { 'field-id': 10, names: ['value'], fields: [{ 'field-id': 11, names: ['weight', 'w'] }] },
        ],
      },
    ],
  });
  expect(rows).toEqual([
    { id: 1, place: { lat: 1.5, long: null }, items: [{ weight: 3 }], props: { k: { weight: 4 } } },
    { id: 2, place: { lat: 0.5, long: 2.5 }, items: [{ weight: 5 }], props: { k: { weight: 6 } } },
  ]);
});

it.each([
  ['no JSON', '{'],
  ['no list', '{"names": ["a"]}'],
  ['a name twice', '[{"field-id": 1, "names": ["a"]}, {"field-id": 2, "names": ["a"]}]'],
  ['names that are none', '[{"field-id": 1, "names": [1]}]'],
])('refuses a mapping with %s', async (_what, text) => {
  const file = await parquet('SELECT 1 AS a');
  const schema = { type: 'struct' as const, 'schema-id': 0, fields: [column(1, 'a', 'int')] };
  const metadata = { ...base, properties: { 'schema.name-mapping.default': text }, schemas: [schema] };
  await expect(
    createTableView(engine, 'seen', { table: 't', metadata, schema, tasks: [task(file)] }),
  ).rejects.toMatchObject({ kind: 'corrupt' });
});

it('takes a column that files lack from their identity partitions, as Hive leaves them', async () => {
  const spec = (fieldId: number, source: number, transform = 'identity'): PartitionSpec => ({
    'spec-id': fieldId,
    fields: [{ 'source-id': source, 'field-id': fieldId, name: 'p', transform }],
  });
  const file = (id: number, value: Value): Promise<DataFile> =>
    parquet(`SELECT ${id}::BIGINT AS id`, ', FIELD_IDS {id: 1}', { partition: [value] });
  const own = await parquet("SELECT 9::BIGINT AS id, 'in file' AS p", ', FIELD_IDS {id: 1, p: 2}', {
    partition: ['in file'],
  });
  const rows = await read({
    fields: [
      column(1, 'id', 'long'),
      column(2, 'p', 'string'),
      column(3, 'n', 'long'),
      column(4, 'day', 'date'),
    ],
    tasks: [
      task(await file(1, "it's"), spec(1000, 2)),
      task(await file(2, null), spec(1000, 2)),
      task(await file(3, 7), spec(1001, 3)),
      task(await file(4, 11000), spec(1002, 4)),
      task(await file(5, 11000), spec(1003, 4, 'day')),
      task(own, spec(1000, 2)),
    ],
    order: 'id',
  });
  expect(rows).toEqual([
    { id: 1, p: "it's", n: null, day: null },
    { id: 2, p: null, n: null, day: null },
    { id: 3, p: null, n: 7, day: null },
    { id: 4, p: null, n: null, day: '2000-02-13' },
    { id: 5, p: null, n: null, day: null },
    { id: 9, p: 'in file', n: null, day: null },
  ]);
});

const DEFAULTED: readonly NestedField[] = [
  column(1, 'id', 'int'),
  column(2, 'name', 'string', { 'initial-default': "o'hara" }),
  column(3, 'price', 'decimal(9, 2)', { 'initial-default': '12.50' }),
  column(4, 'at', 'timestamptz', { 'initial-default': '2020-01-02T03:04:05.000006+00:00' }),
  column(
    5,
    'box',
    {
      type: 'struct',
      fields: [
        column(6, 'w', 'int', { 'initial-default': 3 }),
        column(7, 'h', 'int'),
        column(8, 'raw', 'binary'),
      ],
    },
    { 'initial-default': { '8': '00ff' } },
  ),
  column(9, 'old', {
    type: 'struct',
    fields: [column(10, 'a', 'int'), column(11, 'b', 'long', { 'initial-default': 5 })],
  }),
];

const OLD_ROWS = "SELECT 1 AS id, {'a': 1} AS old UNION ALL SELECT 2, NULL";
const OLD_IDS = ', FIELD_IDS {id: 1, old: {__duckdb_field_id: 9, a: 10}}';

it('gives rows from before a field its initial default in format v3, in structs too', async () => {
  const file = await parquet(OLD_ROWS, OLD_IDS);
  const added = {
    name: "o'hara",
    price: 12.5,
    at: '2020-01-02 03:04:05.000006Z',
    box: { w: 3, h: null, raw: 'AP8=' },
  };
  expect(await read({ fields: DEFAULTED, tasks: [task(file)], version: 3 })).toEqual([
    { id: 1, ...added, old: { a: 1, b: 5 } },
    { id: 2, ...added, old: null },
  ]);
});

it('knows no defaults in format v2', async () => {
  const file = await parquet(OLD_ROWS, OLD_IDS);
  const added = { name: null, price: null, at: null, box: null };
  expect(await read({ fields: DEFAULTED, tasks: [task(file)] })).toEqual([
    { id: 1, ...added, old: { a: 1, b: null } },
    { id: 2, ...added, old: null },
  ]);
});

it('applies equality deletes by a field in structs, also where it has another name since', async () => {
  const ids = ', FIELD_IDS {id: 1, place: {__duckdb_field_id: 2, lat: 3, long: 4}}';
  const data = await parquet(
    "SELECT i::BIGINT AS id, CASE WHEN i < 3 THEN {'lat': i::DOUBLE, 'long': 1::DOUBLE} END AS place FROM range(5) AS t(i)",
    ids,
  );
  const deletes = await parquet(
    "SELECT {'was': 1::DOUBLE} AS place UNION ALL SELECT NULL",
    ', FIELD_IDS {place: {__duckdb_field_id: 2, was: 3}}',
    { content: 'equality-deletes', equalityIds: [3] },
  );
  const rows = await read({
    fields: [column(1, 'id', 'long'), POINT],
    tasks: [task(data, UNPARTITIONED, [deletes])],
  });
  expect(rows).toEqual([
    { id: 0, place: { lat: 0, long: 1 } },
    { id: 2, place: { lat: 2, long: 1 } },
  ]);
});

it('counts rows of files that hold none of the columns', async () => {
  const file = await parquet('SELECT i AS gone FROM range(3) AS t(i)', ', FIELD_IDS {gone: 99}');
  expect(await read({ fields: [column(1, 'id', 'long')], tasks: [task(file)] })).toEqual(
    Array.from({ length: 3 }, () => ({ id: null })),
  );
});

it('reads bytes that a file does not call a string or a uuid as what the table says', async () => {
  const file = await parquet(
    "SELECT encode('é') AS s, unhex('00112233445566778899aabbccddeeff') AS u",
    ', FIELD_IDS {s: 1, u: 2}',
  );
  expect(
    await read({ fields: [column(1, 's', 'string'), column(2, 'u', 'uuid')], tasks: [task(file)] }),
  ).toEqual([{ s: 'é', u: '00112233-4455-6677-8899-aabbccddeeff' }]);
});
