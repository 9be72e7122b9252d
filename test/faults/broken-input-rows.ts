import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { ingest } from '../../src/ingest/ingest.ts';
import { type MovingLake, nameOf } from '../tiering/moving-lake.ts';
import { type BrokenInput, cuts, type Damaged, flips, type Luck, wrongEncodings } from './broken-input.ts';

const utf8 = (content: string): Uint8Array => new TextEncoder().encode(content);
const TABLE = 'landed';
const ROWS = 24;

/** Makes the table that files are ingested into. */
export async function createLanded(lake: MovingLake): Promise<void> {
  await lake.catalog.createTable(['gold'], {
    name: TABLE,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'id', required: true, type: 'long' },
        { id: 2, name: 'n', required: false, type: 'int' },
        { id: 3, name: 'price', required: false, type: 'decimal(9, 2)' },
        { id: 4, name: 'day', required: false, type: 'date' },
        { id: 5, name: 'at', required: false, type: 'timestamptz' },
        { id: 6, name: 'ok', required: false, type: 'boolean' },
        { id: 7, name: 'key', required: false, type: 'uuid' },
        { id: 8, name: 'note', required: false, type: 'string' },
        {
          id: 9,
          name: 'tags',
          required: false,
          type: { type: 'list', 'element-id': 10, 'element-required': false, element: 'int' },
        },
      ],
    },
    properties: { 'format-version': '2' },
  });
}

const good = {
  id: '1',
  n: '2',
  price: '3.50',
  day: '2001-01-02',
  at: '2001-01-02T03:04:05Z',
  ok: 'true',
  key: '123e4567-e89b-12d3-a456-426614174000',
  note: 'x',
};
type Column = keyof typeof good;
const COLUMNS = Object.keys(good) as Column[];

/** Texts that are no values of their columns. */
const WRONG_TEXTS: readonly (readonly [Column, string])[] = [
  ['id', ''],
  ['id', 'one'],
  ['id', '1.5'],
  ['id', '1e3000'],
  ['id', '9223372036854775808'],
  ['id', '-9223372036854775809'],
  ['id', '9'.repeat(5000)],
  ['id', '0x10'],
  ['id', '١'],
  ['n', '2147483648'],
  ['n', 'NaN'],
  ['price', '12345678.90'],
  ['price', '1.234'],
  ['price', '1,5'],
  ['price', 'Infinity'],
  ['day', '2001-02-30'],
  ['day', '2001-13-01'],
  ['day', '99999999-01-01'],
  ['day', 'yesterday'],
  ['at', '2001-01-02T25:00:00Z'],
  ['at', '2001-01-02T03:04:05+99:00'],
  ['at', 'now'],
  ['ok', 'maybe'],
  ['ok', '2'],
  ['key', '123'],
  ['key', 'z23e4567-e89b-12d3-a456-426614174000'],
];

function csvOf(
  rows: readonly Partial<Record<Column, string>>[],
  columns: readonly string[] = COLUMNS,
): string {
  const lines = rows.map((row) => COLUMNS.map((name) => row[name] ?? good[name]).join(','));
  return `${columns.join(',')}\n${lines.join('\n')}\n`;
}

const goodRows = Array.from({ length: ROWS }, (_, i) => ({ id: String(i) }));

function csvDamage(luck: Luck): Damaged[] {
  const content = csvOf(goodRows);
  const values = WRONG_TEXTS.map(([column, text]) => ({
    name: `${column} is ${text.slice(0, 40)}`,
    bytes: utf8(csvOf([...goodRows, { [column]: text }])),
  }));
  const texts: readonly (readonly [string, string])[] = [
    ['a column that the table has not', csvOf(goodRows, [...COLUMNS.slice(0, -1), 'nota'])],
    ['a column twice', csvOf(goodRows, [...COLUMNS.slice(0, -1), 'id'])],
    ['no id', content.replace('id,', 'idd,')],
    ['a field too many', `${content}${content.split('\n')[1]},more\n`],
    ['a field too few', `${content}1,2\n`],
    ['a quote that stays open', `${content}1,2,"3\n`],
    ['text after a quote', `${content}"1"x,2,3,2001-01-02,2001-01-02T03:04:05Z,true,,x\n`],
    ['a NUL in a number', content.replace('\n1,', '\n1\0,')],
    ['JSON', '{"id": 1}\n{"id": 2}\n'],
    ['a line of nothing but commas', `${content}${','.repeat(100_000)}\n`],
  ];
  const rest = texts.map(([name, broken]) => ({ name, bytes: utf8(broken) }));
  return [
    ...values,
    ...rest,
    ...wrongEncodings(content).filter(({ name }) => name !== 'a gzip file'),
    gzip(luck),
  ];
}

const gzip = (luck: Luck): Damaged => {
  const bytes = new Uint8Array(gzipSync(csvOf(goodRows)));
  return {
    name: 'gzip in a file that is not called so',
    bytes: bytes.slice(0, bytes.length - luck.integer(4)),
  };
};

function jsonDamage(luck: Luck): Damaged[] {
  const row = { id: 1, n: 2, price: '3.50', day: '2001-01-02', ok: true, note: 'x', tags: [1, 2] };
  const lines = Array.from({ length: ROWS }, (_, id) => JSON.stringify({ ...row, id })).join('\n');
  const withRow = (name: string, text: string): Damaged => ({ name, bytes: utf8(`${lines}\n${text}\n`) });
  const wrong: readonly (readonly [string, unknown])[] = [
    ['id', null],
    ['id', '1x'],
    ['id', 1.5],
    ['id', true],
    ['id', []],
    ['id', {}],
    ['n', 2 ** 31],
    ['price', 1e300],
    ['price', 'x'],
    ['day', 20010102],
    ['ok', 'perhaps'],
    ['tags', 'x'],
    ['tags', [1, 'x']],
    ['tags', { 1: 2 }],
    ['tags', [[1]]],
    ['note', { a: 1 }],
    ['nothing', 1],
  ];
  const texts: readonly (readonly [string, string])[] = [
    ['cut off', '{"id": 1, "n": '],
    ['a list', '[1, 2]'],
    ['a number', '17'],
    ['two objects in a line', '{"id": 1}{"id": 2}'],
    ['single quotes', "{'id': 1}"],
    ['no id', '{"n": 1}'],
    ['an id of 5,000 digits', `{"id": ${'9'.repeat(5000)}}`],
    ['an id beyond 64 bits', '{"id": 9223372036854775808}'],
    ['an id beyond doubles', '{"id": 1e999}'],
    ['NaN', '{"id": NaN}'],
    ['a control character', '{"id": 1, "note": "\u0001"}'],
    ['100,000 brackets', '['.repeat(100_000)],
    ['100,000 levels', `{"id": 1, "tags": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['the prototype', '{"__proto__": {"id": 1}}'],
  ];
  return [
    ...wrong.map(([key, value]) =>
      withRow(`${key} is ${JSON.stringify(value)}`, JSON.stringify({ ...row, [key]: value })),
    ),
    ...texts.map(([name, text]) => withRow(name, text)),
    ...wrongEncodings(`${lines}\n`),
    gzip(luck),
  ];
}

const zigzag = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
};
const named = (text: string): number[] => [...zigzag(utf8(text).length), ...utf8(text)];
const SYNC = Array.from({ length: 16 }, (_, i) => i);

/** An Avro container file of one block. */
function avroFile(schema: unknown, count: number, data: readonly number[], codec = 'null'): Uint8Array {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const block = codec === 'deflate' ? [...deflateRawSync(new Uint8Array(data))] : data;
  const header = [
    0x4f,
    0x62,
    0x6a,
    1,
    ...zigzag(2),
    ...named('avro.schema'),
    ...named(text),
    ...named('avro.codec'),
  ];
  return new Uint8Array([
    ...[...header, ...named(codec), 0, ...SYNC],
    ...[...zigzag(count), ...zigzag(block.length), ...block, ...SYNC],
  ]);
}

const record = (...fields: readonly (readonly [string, unknown])[]): object => ({
  type: 'record',
  name: 'r',
  fields: fields.map(([name, type]) => ({ name, type })),
});
const RECORD = record(['id', 'long'], ['note', 'string'], ['tags', { type: 'array', items: 'int' }]);

function avroDamage(luck: Luck): Damaged[] {
  const rows = Array.from({ length: ROWS }, (_, i) => [
    ...zigzag(i),
    ...named(`n${i}`),
    ...zigzag(1),
    4,
    0,
  ]).flat();
  const whole = avroFile(RECORD, ROWS, rows);
  const file = (
    name: string,
    schema: unknown,
    count: number,
    data: readonly number[],
    codec?: string,
  ): Damaged => ({
    name,
    bytes: avroFile(schema, count, data, codec),
  });
  return [
    ...cuts(whole.slice(0, -1), 15, luck),
    file('more records than there are', RECORD, ROWS + 1, rows),
    file('fewer records than there are', RECORD, ROWS - 1, rows),
    file('2^40 records', RECORD, 2 ** 40, rows),
    file('2^40 records of no bytes', record(['id', 'null']), 2 ** 40, []),
    file('a list of 2^31 numbers', RECORD, 1, [2, 0, ...zigzag(2 ** 31 - 1), 2, 0]),
    file('a list of 2^31 nothings', record(['id', 'long'], ['tags', { type: 'array', items: 'null' }]), 1, [
      2,
      ...zigzag(2 ** 31 - 1),
      0,
    ]),
    file('a text of 2^40 bytes', RECORD, 1, [2, ...zigzag(2 ** 40), 65]),
    file('a text of less than nothing', RECORD, 1, [2, ...zigzag(-5), 65]),
    file('another codec', RECORD, ROWS, rows, 'bzip2'),
    file('a codec that it is not in', RECORD, ROWS, rows, 'zstandard'),
    file('snappy of 2^34 bytes', RECORD, 1, [0xff, 0xff, 0xff, 0xff, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8], 'snappy'),
    file(
      'a bomb of deflate',
      record(['id', 'long'], ['note', 'string']),
      1,
      new Array<number>(3_000_000).fill(0),
      'deflate',
    ),
    file('no schema', '', ROWS, rows),
    file('a schema of no type', '{}', ROWS, rows),
    file('a schema of an unknown type', record(['id', 'lnog']), ROWS, rows),
    file('a schema that is no record', '"long"', 1, [2]),
    file(
      'a schema of 10,000 levels',
      `${'{"type":"array","items":'.repeat(10_000)}"int"${'}'.repeat(10_000)}`,
      1,
      [2],
    ),
    file('a text for a number', record(['id', 'string']), 1, named('x')),
    file('a null for the id', record(['id', ['null', 'long']]), 1, [0]),
    file('a double for the id', record(['id', 'double']), 1, [0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    file('a number beyond its column', record(['id', 'long'], ['n', 'long']), 1, [2, ...zigzag(2 ** 40)]),
    file('a column that the table has not', record(['id', 'long'], ['nothing', 'long']), 1, [2, 2]),
    file('no id', record(['note', 'string']), 1, named('x')),
    file('a branch that the union has not', record(['id', ['null', 'long']]), 1, [8, 2]),
    { name: 'nothing', bytes: new Uint8Array() },
    { name: 'text', bytes: utf8('id,n\n1,2\n') },
  ];
}

const footerAt = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);

/** A Parquet file as the engine writes it. */
async function parquetFile(lake: MovingLake, select: string): Promise<Uint8Array> {
  const path = join(lake.root, 'made.parquet');
  await lake.engine.run(`COPY (${select}) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`);
  return new Uint8Array(await readFile(path));
}

async function parquetDamage(lake: MovingLake, luck: Luck): Promise<{ sure: Damaged[]; unsure: Damaged[] }> {
  const whole = await parquetFile(lake, `SELECT i AS id, 'n' || i AS note FROM range(${ROWS}) r(i)`);
  const selects: readonly (readonly [string, string])[] = [
    ['a text for a number', "SELECT 'x' AS id"],
    ['a null for the id', 'SELECT NULL::BIGINT AS id'],
    ['a number beyond its column', 'SELECT 1::BIGINT AS id, 99999999999 AS n'],
    ['a number beyond 64 bits', 'SELECT 99999999999999999999999::HUGEINT AS id'],
    ['a double for the id', 'SELECT 1.5::DOUBLE AS id'],
    ['a list for the id', 'SELECT [1] AS id'],
    ['a struct for a text', 'SELECT 1::BIGINT AS id, {a: 1} AS note'],
    ['a text for a list', "SELECT 1::BIGINT AS id, 'x' AS tags"],
    ['a column that the table has not', 'SELECT 1::BIGINT AS id, 2 AS nothing'],
    ['no id', "SELECT 'x' AS note"],
  ];
  const wrong = [];
  for (const [name, select] of selects) wrong.push({ name, bytes: await parquetFile(lake, select) });
  const footer = whole.slice();
  new DataView(footer.buffer).setUint32(whole.length - 8, 0x7fffffff, true);
  return {
    sure: [
      ...wrong,
      ...cuts(whole, 12, luck),
      { name: 'a footer of 2 GB', bytes: footer },
      { name: 'nothing', bytes: new Uint8Array() },
      { name: 'text', bytes: utf8('id,n\n1,2\n'.repeat(20)) },
    ],
    unsure: flips(whole, 12, luck, [whole.length - 8 - footerAt(whole), whole.length]),
  };
}

/** Files for `lake ingest` in every format: nothing of them may come into the table. */
export async function rowInputs(lake: MovingLake, luck: Luck): Promise<Record<string, BrokenInput[]>> {
  await createLanded(lake);
  const inputs = (format: 'csv' | 'jsonl' | 'avro' | 'parquet', damaged: readonly Damaged[]): BrokenInput[] =>
    damaged.map(({ name, bytes }) => ({
      name,
      kinds: ['corrupt', 'invalid-argument', 'unsupported'],
      names: `broken.${format}`,
      feed: async () => {
        const path = join(lake.root, `broken.${format}`);
        await writeFile(path, bytes);
        const { rows } = await ingest(lake, nameOf(TABLE), { files: [path] });
        return String(rows);
      },
    }));
  // A file cut between two rows, or in the last value of one, is one of fewer rows, and nothing tells.
  const fewer = (one: BrokenInput): BrokenInput => ({ ...one, mayBe: (rows) => Number(rows) <= ROWS });
  const csv = utf8(csvOf(goodRows));
  const parquet = await parquetDamage(lake, luck);
  return {
    'CSV for ingest': [...inputs('csv', csvDamage(luck)), ...inputs('csv', cuts(csv, 8, luck)).map(fewer)],
    'JSON lines for ingest': inputs('jsonl', jsonDamage(luck)),
    'Avro for ingest': inputs('avro', avroDamage(luck)),
    'Parquet for ingest': [
      ...inputs('parquet', parquet.sure),
      ...inputs('parquet', parquet.unsure).map(fewer),
    ],
  };
}
