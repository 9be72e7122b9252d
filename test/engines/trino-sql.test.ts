import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { trinoQuery } from '../../src/cli/trino-query.ts';
import { quoteText } from '../../src/engine/sql-text.ts';
import { BothEngines } from './both-engines.ts';
import { withStack } from './stack.ts';

const ROWS = 120;

const pad = (value: number, digits: number) => String(value).padStart(digits, '0');
const fraction = fc.oneof(fc.constant(0), fc.integer({ max: 999_999, min: 0 }), fc.constant(120_000));
const date = fc.oneof(
  fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
  fc.constantFrom(new Date(0), new Date('1969-12-31'), new Date('1582-10-10'), new Date('2000-02-29')),
);
const day = date.map((at) => at.toISOString().slice(0, 10));
const clockTime = fc
  .tuple(fc.integer({ max: 86_399, min: 0 }), fraction)
  .map(
    ([s, micros]) =>
      `${pad(Math.floor(s / 3600), 2)}:${pad(Math.floor(s / 60) % 60, 2)}:${pad(s % 60, 2)}.${pad(micros, 6)}`,
  );
const time = fc.tuple(day, clockTime).map(([d, t]) => `${d} ${t}`);
const digits = (whole: number, scale: number) =>
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** BigInt(whole) - 1n }),
      fc.bigInt({ min: 0n, max: 10n ** BigInt(scale) - 1n }),
      fc.boolean(),
    )
    .map(([w, f, negative]) => `${negative ? '-' : ''}${w}.${String(f).padStart(scale, '0')}`);
const double = fc.oneof(
  fc.double(),
  fc.integer().map((n) => n * 1e16),
  fc.constantFrom(0.1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 2 ** 53 + 2),
);
const long = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer().map(BigInt));
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom("o'clock", '', '\u0001\n"', '12345678901234567890'),
);
const hex = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex'));

const cast = (type: string) => (value: unknown) => `CAST(${quoteText(String(value))} AS ${type})`;
const binary = (value: unknown) => `X'${value}'`;

/** Trino's type of a column, values for it, and how they are written in Trino's SQL. */
const COLUMNS: readonly (readonly [
  type: string,
  values: fc.Arbitrary<unknown>,
  sql: (value: unknown) => string,
])[] = [
  ['boolean', fc.boolean(), String],
  ['integer', fc.integer(), cast('integer')],
  ['bigint', long, cast('bigint')],
  ['real', fc.oneof(fc.float(), fc.constantFrom(Math.fround(0.1), 16_777_216, 1e-40)), cast('real')],
  ['double', double, cast('double')],
  ['decimal(9, 2)', digits(7, 2), cast('decimal(9, 2)')],
  ['decimal(18, 0)', long.map((n) => n % 10n ** 18n), cast('decimal(18, 0)')],
  ['decimal(38, 10)', digits(28, 10), cast('decimal(38, 10)')],
  ['varchar', text, cast('varchar')],
  ['varbinary', hex, binary],
  ['date', day, cast('date')],
  ['time(6)', clockTime, cast('time(6)')],
  ['timestamp(6)', time, cast('timestamp(6)')],
  ['timestamp(6) with time zone', time.map((at) => `${at} UTC`), cast('timestamp(6) with time zone')],
  ['uuid', fc.uuid(), cast('uuid')],
  ['array(bigint)', fc.array(fc.option(long), { maxLength: 3 }), list(cast('bigint'), 'bigint')],
  ['array(timestamp(6))', fc.array(time, { maxLength: 2 }), list(cast('timestamp(6)'), 'timestamp(6)')],
  ['map(varchar, double)', pairs(text, double), map(cast('varchar'), cast('double'), 'varchar', 'double')],
  ['map(bigint, varchar)', pairs(long, text), map(cast('bigint'), cast('varchar'), 'bigint', 'varchar')],
  [
    'map(decimal(5, 2), date)',
    pairs(digits(3, 2), day),
    map(cast('decimal(5, 2)'), cast('date'), 'decimal(5, 2)', 'date'),
  ],
  ['map(date, varbinary)', pairs(day, hex), map(cast('date'), binary, 'date', 'varbinary')],
  [
    'row("a" bigint, "B c" row("d" decimal(38, 10)))',
    fc.tuple(long, fc.option(digits(28, 10))),
    (value) => {
      const [a, d] = Array.isArray(value) ? value : [];
      const inner = d === null ? 'NULL' : cast('decimal(38, 10)')(d);
      return `CAST(ROW(${cast('bigint')(a)}, ROW(${inner})) AS row("a" bigint, "B c" row("d" decimal(38, 10))))`;
    },
  ],
];

function pairs(keys: fc.Arbitrary<unknown>, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.uniqueArray(fc.tuple(keys, fc.option(values)), {
    maxLength: 3,
    // Of "1" and "1.00" as keys one is enough.
    selector: ([key]) => (typeof key === 'string' ? key.replace(/^-(0+\.0+)$/, '$1') : key),
  });
}

function list(sql: (value: unknown) => string, type: string): (value: unknown) => string {
  return (value) =>
    `CAST(ARRAY[${items(value)
      .map((one) => (one === null ? 'NULL' : sql(one)))
      .join(', ')}] AS array(${type}))`;
}

function map(
  key: (value: unknown) => string,
  value: (value: unknown) => string,
  keyType: string,
  valueType: string,
): (pairs: unknown) => string {
  return (given) => {
    const [keys, values] = [
      items(given).map((pair) => items(pair)[0]),
      items(given).map((pair) => items(pair)[1]),
    ];
    return `MAP(${list(key, keyType)(keys)}, ${list(value, valueType)(values)})`;
  };
}

const items = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

withStack('lake sql --engine trino', () => {
  let both: BothEngines;
  beforeAll(async () => {
    both = await BothEngines.open('trino_sql');
  });
  afterAll(() => both?.close());

  const ask = async (sql: string, asOf?: string) =>
    both.trinoRows(await trinoQuery(async () => both.lake, both.trino, sql, asOf));

  it('gives the same text for values of every type as the embedded engine', async () => {
    const types = COLUMNS.map(([type], i) => `c${i} ${type}`);
    await both.run(`CREATE TABLE ${both.namespace}.v (id integer, ${types.join(', ')})`);
    const record = fc.tuple(...COLUMNS.map(([, values]) => fc.option(values, { freq: 8 })));
    const rows = fc.sample(record, { numRuns: ROWS, seed: 476 });
    const literals = rows.map((row, id) => {
      const cells = row.map((value, i) => (value === null ? 'NULL' : (COLUMNS[i]?.[2](value) ?? '')));
      return `(${[id, ...cells].join(', ')})`;
    });
    for (let from = 0; from < ROWS; from += 30) {
      await both.run(`INSERT INTO ${both.namespace}.v VALUES ${literals.slice(from, from + 30).join(', ')}`);
    }
    const sql = `SELECT * FROM ${both.namespace}.v ORDER BY id`;
    const [theirs, ours] = [await ask(sql), await both.lakeRows(sql)];
    expect(theirs).toHaveLength(ROWS);
    for (const [i, row] of theirs.entries()) expect(JSON.stringify(row)).toBe(JSON.stringify(ours[i]));
  });

  it('answers exactly beyond a double, streamed over many pages', async () => {
    const sql = "SELECT bigint '9223372036854775807' AS a, 1 AS a, 0.1 AS b, bigint '-9007199254740992' AS c";
    expect(await ask(sql)).toEqual([{ a: '9223372036854775807', 'a:1': 1, b: 0.1, c: '-9007199254740992' }]);
    let rows = 0;
    for await (const _ of both.trino.objects('SELECT * FROM tpch.tiny.lineitem')) rows++;
    expect(rows).toBe(60_175);
  });

  it('reads every table as of a snapshot, time, tag or branch, as the embedded engine does', async () => {
    const [a, b] = [`${both.namespace}.a`, `${both.namespace}.b`];
    await both.run(`CREATE TABLE ${a} AS SELECT 1 AS id`, `CREATE TABLE ${b} AS SELECT 1 AS id, 'x' AS v`);
    const time = new Date((await both.table('b')).metadata['last-updated-ms'] + 1).toISOString();
    await expect.poll(() => new Date().toISOString() > time).toBe(true);
    await both.run(
      `INSERT INTO ${a} VALUES 2`,
      `INSERT INTO ${b} VALUES (2, 'y')`,
      `DELETE FROM ${a} WHERE id = 1`,
    );
    const sql = `WITH w AS (SELECT id FROM ${a}) SELECT w.id, y.v, (SELECT count(*) FROM ${a}) AS n
      FROM w, ${b} y WHERE w.id = y.id ORDER BY 1`;
    const past = [{ id: 1, v: 'x', n: 1 }];
    expect(await ask(sql, time)).toEqual(past);
    expect(await both.lakeRows(sql, time)).toEqual(past);
    expect(await ask(sql)).toEqual([{ id: 2, v: 'y', n: 1 }]);
    expect(await ask(sql, 'main')).toEqual([{ id: 2, v: 'y', n: 1 }]);
    const first = (await both.table('a')).metadata.snapshots.map((one) => one['snapshot-id']);
    const only = `SELECT * FROM ${a} ORDER BY id`;
    for (const id of first)
      expect(await ask(only, String(id))).toEqual(await both.lakeRows(only, String(id)));
    await expect(ask(only, 'nowhere')).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('refuses as-of where it could read the present', async () => {
    const [a, view] = [`${both.namespace}.e`, `${both.namespace}.seen`];
    await both.run(`CREATE TABLE ${a} AS SELECT 1 AS id`, `CREATE VIEW ${view} AS SELECT * FROM ${a}`);
    for (const table of [view, `${both.namespace}."e$snapshots"`]) {
      await expect(ask(`SELECT * FROM ${table}`, 'main')).rejects.toMatchObject({ kind: 'not-found' });
    }
    await expect(ask('SELECT * FROM tpch.tiny.nation', 'main')).rejects.toMatchObject({
      kind: 'unsupported',
    });
    await both.run(`ALTER TABLE ${a} ADD COLUMN later integer`);
    await expect(ask(`SELECT * FROM ${a}`, 'main')).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('says where the SQL is off, and refuses what is no query', async () => {
    await expect(ask('SELECT\n  nope')).rejects.toMatchObject({
      kind: 'usage',
      where: 'query, line 2, column 3',
    });
    await expect(ask('SELECT * FROM nope.x')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(ask(`DROP TABLE ${both.namespace}.v`)).rejects.toMatchObject({ kind: 'usage' });
  });

  it('cancels at the server what is left early', async () => {
    const mark = `left_early_${process.pid}`;
    for await (const _ of both.trino.objects(`SELECT l.*, '${mark}' AS m FROM tpch.sf10.lineitem l`)) break;
    const state = `SELECT state, error_code FROM system.runtime.queries WHERE query LIKE '%' || 'left_early_' || '${process.pid}%'
      AND query NOT LIKE '%runtime%'`;
    await expect.poll(() => both.trino.rows(state)).toEqual([['FAILED', 'USER_CANCELED']]);
  });
});
