import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import avsc from 'avsc';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { isKind } from '../../src/errors.ts';
import { currentSchema } from '../../src/iceberg/table-metadata.ts';
import { columnsOf, evolutionOf } from '../../src/ingest/evolution.ts';
import { ingest } from '../../src/ingest/ingest.ts';
import { quarantineTable } from '../../src/ingest/quarantine.ts';
import { openTable } from '../../src/table/table.ts';
import { column, type IngestLake, openIngestLake, TABLE } from './ingest-lake.ts';

let lake: IngestLake;
beforeEach(async () => {
  lake = await openIngestLake();
});
afterEach(() => lake.dispose());

const AVRO = {
  type: 'record',
  name: 'order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'name', type: ['null', 'string'] },
    { name: 'price', type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }] },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'tags', type: { type: 'array', items: ['null', 'int'] } },
  ],
};
const COLUMNS = [
  column('id', 'long', true),
  column('name', 'string'),
  column('price', 'decimal(10, 2)'),
  column('day', 'date'),
  column('at', 'timestamptz'),
  column('tags', { type: 'list', 'element-id': 0, 'element-required': false, element: 'long' }),
];

/** A container file by avsc's own writer. */
async function avroFile(codec: string, records: readonly object[]): Promise<Buffer> {
  const codecs = {
    null: (data: Buffer, done: (error: Error | null, data: Buffer) => void) => done(null, data),
    deflate: (data: Buffer, done: (error: Error | null, data: Buffer) => void) =>
      done(null, deflateRawSync(data)),
    zstandard: (data: Buffer, done: (error: Error | null, data: Buffer) => void) =>
      done(null, zstdCompressSync(data)),
  };
  const encoder = new avsc.streams.BlockEncoder(AVRO as avsc.Schema, {
    codec,
    codecs,
    blockSize: 64,
  });
  for (const record of records) encoder.write(record);
  encoder.end();
  const parts: Buffer[] = [];
  for await (const part of encoder) parts.push(part);
  return Buffer.concat(parts);
}

const records = Array.from({ length: 40 }, (_, i) => ({
  id: i,
  name: i % 3 === 0 ? null : `n${i}`,
  price: i % 4 === 0 ? null : Buffer.from([i, 0]),
  day: i,
  at: i * 1000,
  tags: [i, null],
}));

it.each(['null', 'deflate', 'zstandard'])('takes the records of Avro files (%s)', async (codec) => {
  await lake.createTable(COLUMNS);
  const file = await lake.file('o.avro', await avroFile(codec, records));
  expect((await ingest(lake, TABLE, { files: [file] })).rows).toBe(40);
  const rows = await lake.rows(TABLE, 'id, name, price, day, epoch_ms("at") AS at, tags');
  expect(rows).toEqual(
    records.map(({ id, name, price, day, at, tags }) => ({
      id,
      name,
      price: price && (price[0]! * 256) / 100,
      day: new Date(day * 86_400_000).toISOString().slice(0, 10),
      at,
      tags,
    })),
  );
});

it('commits nothing of a file that is cut off or damaged anywhere', async () => {
  await lake.createTable(COLUMNS);
  const avro = await avroFile('deflate', records);
  const engine = await openDuckDb({ tempDirectory: join(tmpdir(), 'lake-typed'), threads: 1 });
  const parquet = await lake.file('p.parquet', '');
  await engine.run(
    `COPY (SELECT range AS id, 'n' || range AS name FROM range(1000)) TO '${parquet}' (FORMAT parquet)`,
  );
  await engine.close();
  const whole = await readFile(parquet);
  for (let i = 1; i < 24; i++) {
    for (const [name, bytes] of [
      ['cut.avro', avro],
      ['cut.parquet', whole],
    ] as const) {
      const file = await lake.file(name, bytes.subarray(0, Math.floor((bytes.length * i) / 24)));
      const error: unknown = await ingest(lake, TABLE, { files: [file] }).then(
        () => null,
        (reason: unknown) => reason,
      );
      // A cut between two blocks of Avro leaves a whole, shorter file.
      if (error !== null) expect(isKind(error, 'corrupt'), String(error)).toBe(true);
      else expect(name).toBe('cut.avro');
    }
  }
  const broken = Buffer.from(avro);
  broken[broken.length - 1]! ^= 0xff;
  await expect(ingest(lake, TABLE, { files: [await lake.file('b.avro', broken)] })).rejects.toMatchObject({
    kind: 'corrupt',
  });
});

it('sets Avro records aside whose texts are no UTF-8, nested ones too', async () => {
  await lake.createTable([
    column('id', 'long', true),
    column('name', 'string'),
    column('tags', { type: 'list', 'element-id': 0, 'element-required': true, element: 'string' }),
  ]);
  // Written with bytes, which look the same in the file.
  const schema = (text: string) => ({
    type: 'record',
    name: 'order',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'name', type: ['null', text] },
      { name: 'tags', type: { type: 'array', items: text } },
    ],
  });
  const encoder = new avsc.streams.BlockEncoder(schema('bytes') as avsc.Schema, { codec: 'null' });
  const broken = Buffer.from([0x61, 0xff, 0x62]);
  encoder.write({ id: 1, name: Buffer.from('é😀'), tags: [Buffer.from('')] });
  encoder.write({ id: 2, name: broken, tags: [] });
  encoder.write({ id: 3, name: null, tags: [Buffer.from('x'), broken] });
  encoder.end();
  const parts: Buffer[] = [];
  for await (const part of encoder) parts.push(part);
  const text = Buffer.concat(parts).toString('latin1').replaceAll('"bytes"', '"string"');
  // The schema's length stands before it.
  const written = JSON.stringify(schema('bytes')).length;
  const head = (length: number): string =>
    String.fromCharCode(((length * 2) & 0x7f) | 0x80, (length * 2) >> 7);
  const bytes = Buffer.from(text.replace(head(written), head(written + 2)), 'latin1');
  const file = await lake.file('t.avro', bytes);
  expect(await ingest(lake, TABLE, { files: [file], onError: 'quarantine' })).toMatchObject({
    rows: 1,
    quarantined: 2,
  });
  expect(await lake.rows(TABLE)).toEqual([{ id: 1, name: 'é😀', tags: [''] }]);
  expect(await lake.rows(quarantineTable(TABLE), 'line, "column", reason, raw')).toEqual([
    {
      line: 2,
      column: 'name',
      reason: 'name: it is not valid Unicode',
      raw: '{"id":"2","name":"a\\\\xffb","tags":"[]"}',
    },
    {
      line: 3,
      column: 'tags',
      reason: 'tags: it is not valid Unicode',
      raw: expect.stringContaining('xffb'),
    },
  ]);
});

it('takes Parquet by the names of its columns, and sets nulls of required columns aside', async () => {
  await lake.createTable(COLUMNS);
  const engine = await openDuckDb({ tempDirectory: join(tmpdir(), 'lake-typed'), threads: 1 });
  const parquet = await lake.file('p.parquet', '');
  await engine.run(
    `COPY (SELECT 'n' || range AS name, CASE WHEN range % 100 = 7 THEN NULL ELSE range END AS id, (range / 4.0)::DECIMAL(10, 2) AS price,
      [range, NULL] AS tags, TIMESTAMPTZ '2001-01-01 00:00:00+00' AS "at" FROM range(1000)) TO '${parquet}' (FORMAT parquet)`,
  );
  await engine.close();
  await expect(ingest(lake, TABLE, { files: [parquet] })).rejects.toMatchObject({
    kind: 'corrupt',
    where: expect.stringContaining('line 8, column id'),
  });
  const done = await ingest(lake, TABLE, { files: [parquet], onError: 'quarantine' });
  expect(done).toMatchObject({ rows: 990, quarantined: 10 });
  expect(
    await lake.rows(
      TABLE,
      'count(*)::INT AS n, sum(id)::INT AS ids, sum(price)::DOUBLE AS price, count("at")::INT AS times',
    ),
  ).toEqual([{ n: 990, ids: 494_930, price: 123_732.5, times: 990 }]);
});

it('refuses a Parquet file whose types hold other values', async () => {
  await lake.createTable([column('id', 'int'), column('at', 'timestamptz')]);
  const engine = await openDuckDb({ tempDirectory: join(tmpdir(), 'lake-typed'), threads: 1 });
  const parquet = await lake.file('p.parquet', '');
  await engine.run(
    `COPY (SELECT 1::INT AS id, TIMESTAMP '2001-01-01' AS "at") TO '${parquet}' (FORMAT parquet)`,
  );
  await engine.close();
  await expect(ingest(lake, TABLE, { files: [parquet] })).rejects.toThrow('Column "at"');
  expect(await lake.snapshots()).toBe(0);
});

it('sets rows of Parquet aside whose values are out of range for the table', async () => {
  await lake.createTable([column('id', 'int', true), column('n', 'long'), column('at', 'timestamp')]);
  const engine = await openDuckDb({ tempDirectory: join(tmpdir(), 'lake-typed'), threads: 1 });
  const parquet = await lake.file('p.parquet', '');
  await engine.run(
    `COPY (SELECT * FROM (VALUES (1::BIGINT, 18446744073709551615::UBIGINT, TIMESTAMP_NS '2001-01-01 00:00:00'),
      (3000000000, 2, NULL), (3, 9223372036854775807, TIMESTAMP_NS '2001-01-01 00:00:00.000001'), (4, 4, TIMESTAMP_NS '2001-01-01 00:00:00.000000001')) t(id, n, "at"))
     TO '${parquet}' (FORMAT parquet)`,
  );
  await engine.close();
  await expect(ingest(lake, TABLE, { files: [parquet] })).rejects.toMatchObject({
    message: expect.stringContaining('3 of 4 rows do not fit'),
    where: expect.stringContaining('line 1, column n: "18446744073709551615"'),
  });
  const done = await ingest(lake, TABLE, { files: [parquet], onError: 'quarantine' });
  expect(done).toMatchObject({ rows: 1, quarantined: 3 });
  expect(await lake.rows(TABLE)).toEqual([
    { id: 3, n: '9223372036854775807', at: '2001-01-01 00:00:00.000001' },
  ]);
  expect(await lake.rows(quarantineTable(TABLE), 'line, "column", raw')).toEqual([
    { line: 1, column: 'n', raw: expect.stringContaining('"n":"18446744073709551615"') },
    { line: 2, column: 'id', raw: '{"id":"3000000000","n":"2","at":null}' },
    { line: 4, column: 'at', raw: expect.stringContaining('"at":"978307200000000001"') },
  ]);
});

it('adds and widens columns with the rows that need it, in one commit', async () => {
  await lake.createTable([column('id', 'int', true), column('x', 'float'), column('price', 'decimal(4, 2)')]);
  const first = await lake.file('a.csv', 'id,x,price\n1,1.5,12.34\n');
  await ingest(lake, TABLE, { files: [first] });
  const csv = await lake.file(
    'b.csv',
    'id,price,qty,note,when\n3000000000,12345.67,1,a,2001-01-05\n4,1,2.5,7,2001-01-06\n',
  );
  const evolve = (schema: Parameters<typeof evolutionOf>[1]) =>
    evolutionOf({ files: [csv], csv: {} }, schema);
  const before = (await openTable(lake, TABLE)).metadata['last-column-id'];
  const done = await ingest(lake, TABLE, { files: [csv], evolve });
  expect(done.changes.map((change) => Object.values(change).slice(1).join(' '))).toEqual([
    'id long',
    'price decimal(7, 2)',
    'qty double',
    'note string',
    'when date',
  ]);
  const { metadata } = await openTable(lake, TABLE);
  expect(
    currentSchema(metadata)
      .fields.slice(3)
      .map((field) => [field.id, field.required]),
  ).toEqual([
    [before + 1, false],
    [before + 2, false],
    [before + 3, false],
  ]);
  expect(metadata.snapshots).toHaveLength(2);
  expect(await lake.rows(TABLE, 'id, x, price, qty, note, "when"')).toEqual([
    { id: 1, x: 1.5, price: 12.34, qty: null, note: null, when: null },
    { id: 4, x: null, price: 1, qty: 2.5, note: '7', when: '2001-01-06' },
    { id: 3_000_000_000, x: null, price: 12_345.67, qty: 1, note: 'a', when: '2001-01-05' },
  ]);
});

it('makes the columns of a new table of what Avro declares', async () => {
  const record = { id: 1, name: 'a', price: null, day: 0, at: 0, tags: [] };
  const path = await lake.file('a.avro', await avroFile('null', [record]));
  const columns = await columnsOf({ files: [path], csv: {} });
  expect(columns.map(({ name, type, required }) => [name, type, required])).toEqual([
    ['id', 'long', false],
    ['name', 'string', false],
    ['price', 'decimal(9, 2)', false],
    ['day', 'date', false],
    ['at', 'timestamptz', false],
    ['tags', { type: 'list', 'element-id': 0, 'element-required': false, element: 'int' }, false],
  ]);
});

it('adds and widens columns by the types that Avro and Parquet declare', async () => {
  await lake.createTable([column('id', 'int', true), column('price', 'decimal(4, 2)')]);
  const engine = await openDuckDb({ tempDirectory: join(tmpdir(), 'lake-typed'), threads: 1 });
  const parquet = await lake.file('p.parquet', '');
  await engine.run(
    `COPY (SELECT 3000000000::BIGINT AS id, 12345.67::DECIMAL(12, 2) AS price, 1::SMALLINT AS small, 'x' AS note, TIMESTAMPTZ '2001-01-01 00:00:00+00' AS "at")
     TO '${parquet}' (FORMAT parquet)`,
  );
  await engine.close();
  const avro = await lake.file('o.avro', await avroFile('deflate', records.slice(1, 2)));
  const files = [parquet, avro];
  const evolve = (schema: Parameters<typeof evolutionOf>[1]) => evolutionOf({ files, csv: {} }, schema);
  const changes = await evolve(currentSchema((await openTable(lake, TABLE)).metadata));
  expect(changes.map((change) => Object.values(change).slice(1).join(' '))).toEqual([
    'id long',
    'price decimal(12, 2)',
    'small int',
    'note string',
    'at timestamptz',
    'name string',
    'day date',
  ]);
  expect((await ingest(lake, TABLE, { files: [parquet], evolve })).rows).toBe(1);
  expect(await lake.rows(TABLE, 'id, price, small, note, name')).toEqual([
    { id: 3_000_000_000, price: 12_345.67, small: 1, note: 'x', name: null },
  ]);
  // A list is no column that comes by itself.
  await expect(ingest(lake, TABLE, { files: [avro], evolve })).rejects.toThrow('no column "tags"');
});
