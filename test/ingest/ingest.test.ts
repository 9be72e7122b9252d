import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import { ingest } from '../../src/ingest/ingest.ts';
import { quarantineTable } from '../../src/ingest/quarantine.ts';
import { openTable } from '../../src/table/table.ts';
import { column, type IngestLake, openIngestLake, TABLE } from './ingest-lake.ts';

let lake: IngestLake;
beforeEach(async () => {
  lake = await openIngestLake();
});
afterEach(() => lake.dispose());

const ORDERS = [
  column('id', 'long', true),
  column('name', 'string'),
  column('price', 'decimal(9, 2)'),
  column('day', 'date'),
  column('at', 'timestamptz'),
];
const byDay = (schema: Parameters<typeof buildPartitionSpec>[0]) =>
  buildPartitionSpec(schema, [{ source: 'day', transform: 'day' }]);

const HEADER = 'day,id,name,price,at\n';
const GOOD =
  '2001-01-05,1,"a ""b""\nc",1.50,2001-01-05T10:00:00+01:00\n,9007199254740993,,,\n2001-01-06,3,"",-0.01,\n';

async function bytesOf(lake: IngestLake): Promise<number> {
  let count = 0;
  const { metadata } = await openTable(lake, TABLE);
  for await (const page of lake.objects.list(`${metadata.location}/data/`)) count += page.length;
  return count;
}

it('puts the rows of CSV and JSON lines, packed or not, into their partitions in one commit', async () => {
  await lake.createTable(ORDERS, byDay);
  const csv = await lake.file('a.csv', HEADER + GOOD);
  const jsonl = await lake.file(
    'b.jsonl.gz',
    gzipSync(
      '{"id": 9223372036854775807, "price": 12345.67}\n\n{"id": "4", "day": "2001-01-05", "name": "é😀"}\r\n',
    ),
  );
  const done = await ingest(lake, TABLE, { files: [csv, jsonl] });
  expect(done).toMatchObject({ ingested: true, files: 2, rows: 5, quarantined: 0 });
  expect(await lake.snapshots()).toBe(1);
  expect(await lake.rows(TABLE, 'id, name, price, day, "at"::TIMESTAMP AS "at"')).toEqual([
    { id: 1, name: 'a "b"\nc', price: 1.5, day: '2001-01-05', at: '2001-01-05 09:00:00' },
    { id: 3, name: '', price: -0.01, day: '2001-01-06', at: null },
    { id: 4, name: 'é😀', price: null, day: '2001-01-05', at: null },
    { id: '9007199254740993', name: null, price: null, day: null, at: null },
    { id: '9223372036854775807', name: null, price: 12345.67, day: null, at: null },
  ]);
});

const BAD: readonly (readonly [string, string, string])[] = [
  ['text in a long', '2001-01-05,x1,a,1,\n', 'line 2, column id: "x1" is not a value of type long'],
  ['a long out of range', ',9223372036854775808,a,1,\n', 'column id'],
  [
    'a number of too many digits',
    ',1,a,1.005,\n',
    'column price: "1.005" is not a value of type decimal(9, 2)',
  ],
  ['a decimal that is too big', ',1,a,10000000.00,\n', 'column price'],
  ['NaN in a decimal', ',1,a,NaN,\n', 'column price'],
  [
    'a day that does not exist',
    '2001-02-29,1,a,1,\n',
    'column day: "2001-02-29" is not a value of type date',
  ],
  ['a time without its zone', ',1,a,1,2001-01-05T10:00:00\n', 'column at'],
  ['too few fields', '2001-01-05,1\n', 'line 2: it has 2 fields; the first line names 5 columns'],
  ['a missing required value', '2001-01-05,,a,1,\n', 'column id: there is no value'],
  ['a quote that does not end', '2001-01-05,1,"a,1,\n', 'line 2: a quote does not end'],
];

it.each(BAD)('refuses %s, says where, and leaves nothing behind', async (_what, row, message) => {
  await lake.createTable(ORDERS, byDay);
  const csv = await lake.file('bad.csv', HEADER + row);
  await expect(ingest(lake, TABLE, { files: [csv], batchId: 'b' })).rejects.toMatchObject({
    kind: 'corrupt',
    message: '1 of 1 rows do not fit bronze.orders: nothing was committed',
    where: expect.stringContaining(message),
  });
  expect(await lake.snapshots()).toBe(0);
  expect(await bytesOf(lake)).toBe(0);
  expect((await openTable(lake, TABLE)).metadata.properties).not.toHaveProperty(['lake.batch.b']);
});

it('sets exactly the bad rows aside, in the same commit', async () => {
  await lake.createTable(ORDERS, byDay);
  const [good, broken] = [GOOD, Buffer.from([0x2c, 0x37, 0x2c, 0xff, 0xfe, 0x2c, 0x2c, 0x0a])];
  const csv = await lake.file(
    'mixed.csv',
    Buffer.concat([Buffer.from(`${HEADER}2001-01-05,oops,"x\ny",1,\n${good}2001-13-05,zwei,a,1,\n`), broken]),
  );
  const done = await ingest(lake, TABLE, { files: [csv], onError: 'quarantine', batchId: 'mixed/1' });
  expect(done).toMatchObject({ rows: 3, quarantined: 3, quarantineTable: quarantineTable(TABLE) });
  expect((await lake.rows(TABLE)).length).toBe(3);
  expect(await lake.rows(quarantineTable(TABLE), 'line, "column", raw, batch_id')).toEqual([
    { line: 2, column: 'id', raw: '2001-01-05,oops,"x\ny",1,', batch_id: 'mixed/1' },
    { line: 8, column: 'day', raw: '2001-13-05,zwei,a,1,', batch_id: 'mixed/1' },
    { line: 9, column: null, raw: ',7,\\xff\\xfe,,', batch_id: 'mixed/1' },
  ]);
  expect(
    await ingest(lake, TABLE, { files: [csv], onError: 'quarantine', batchId: 'mixed/1' }),
  ).toMatchObject({
    ingested: false,
    rows: 3,
    quarantined: 3,
    snapshotId: done.snapshotId,
  });
  expect(await lake.snapshots(quarantineTable(TABLE))).toBe(1);
});

it('commits a batch once, from eight processes at once', async () => {
  await lake.createTable(ORDERS, byDay);
  const csv = await lake.file('a.csv', `${HEADER}${GOOD},bad,,,\n`);
  const others = await Promise.all(Array.from({ length: 8 }, () => lake.another()));
  const results = await Promise.all(
    others.map((context) => ingest(context, TABLE, { files: [csv], batchId: 'once', onError: 'quarantine' })),
  );
  expect(results.filter((result) => result.ingested)).toHaveLength(1);
  for (const result of results) expect(result).toMatchObject({ rows: 3, quarantined: 1 });
  expect((await lake.rows(TABLE)).length).toBe(3);
  expect((await lake.rows(quarantineTable(TABLE))).length).toBe(1);
});

it('commits two different batches that come at the same time', async () => {
  await lake.createTable(ORDERS, byDay);
  const csv = await lake.file('a.csv', HEADER + GOOD);
  const [one, two] = [await lake.another(), await lake.another()];
  await Promise.all([
    ingest(one, TABLE, { files: [csv], batchId: 'one' }),
    ingest(two, TABLE, { files: [csv], batchId: 'two' }),
    ingest(lake, TABLE, { files: [csv] }),
  ]);
  expect((await lake.rows(TABLE)).length).toBe(9);
});

it('remembers a batch after its snapshot has expired', async () => {
  await lake.createTable(ORDERS);
  const csv = await lake.file('a.csv', HEADER + GOOD);
  const first = await ingest(lake, TABLE, { files: [csv], batchId: 'old' });
  await ingest(lake, TABLE, { files: [csv] });
  await lake.catalog.commitTable({
    identifier: TABLE,
    requirements: [],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': [first.snapshotId!] }],
  });
  expect(await ingest(lake, TABLE, { files: [csv], batchId: 'old' })).toMatchObject({ ingested: false });
});

it.each([
  ['an unknown column', 'day,id,nmae\n', 'nmae'],
  ['a doubled column', 'id,id\n', 'named twice'],
  ['a missing required column', 'day,name\n', 'required column "id"'],
  ['an empty file', '', 'empty'],
])('refuses %s in the first line', async (_what, header, message) => {
  await lake.createTable(ORDERS);
  const csv = await lake.file('h.csv', header);
  await expect(ingest(lake, TABLE, { files: [csv] })).rejects.toThrow(message);
});

it('reads standard input no faster than it is stored', async () => {
  await lake.createTable([column('id', 'long', true), column('text', 'string')]);
  let given = 0;
  async function* stdin() {
    yield Buffer.from('id,text\n');
    for (; given < 20_000; given++) yield Buffer.from(`${given},${'x'.repeat(1000)}\n`);
  }
  let lead = 0;
  const done = await ingest(lake, TABLE, {
    files: ['-'],
    format: 'csv',
    stdin: stdin(),
    memoryBytes: 16 * 1024 * 1024,
    onProgress: ({ rows }) => {
      lead = Math.max(lead, given - rows);
    },
  });
  expect(done.rows).toBe(20_000);
  expect(lead).toBeLessThan(10);
});
