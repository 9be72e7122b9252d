import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { buildPartitionSpec, type PartitionFieldRequest } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Type } from '../../src/iceberg/types.ts';
import { planMetadataScan } from '../../src/table/scan.ts';
import { openFixture } from '../table/fixture-table.ts';
import { PrunedLake } from './pruned-lake.ts';

/** Its counts are asserted: LAKE_SEED tries others. */
const SEED = Number(process.env['LAKE_SEED'] ?? 3);
const column = (id: number, name: string, type: Type) => ({ id, name, required: false, type });
const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    column(1, 'id', 'long'),
    column(2, 'i', 'int'),
    column(3, 'ts', 'timestamp'),
    column(4, 's', 'string'),
    column(5, 'x', 'double'),
    column(6, 'dec', 'decimal(9, 2)'),
    column(7, 'dt', 'date'),
    column(8, 'b', 'boolean'),
    column(9, 'tz', 'timestamptz'),
    column(10, 'f', 'float'),
    column(11, 'st', { type: 'struct', fields: [column(12, 'a', 'int'), column(13, 'w', 'string')] }),
    column(14, 'wide', 'decimal(30, 5)'),
  ],
};

/** Rows from `from` on: most columns grow with the id, so that row groups differ; nulls, NaN and both zeros among them. */
function rowsSql(from: number, count: number, names: ReadonlySet<string>): string {
  const values: Record<string, string> = {
    id: 'n',
    i: 'CASE WHEN n % 11 = 0 THEN NULL ELSE n // 300 - 10 END',
    ts: "TIMESTAMP '2001-01-01' + to_hours(CAST(n // 20 AS INTEGER))",
    s: "CASE WHEN n % 7 = 0 THEN NULL ELSE chr(CAST(97 + n // 1000 AS INTEGER)) || (n % 5)::VARCHAR || 'é' END",
    x: "CASE WHEN n % 500 = 0 THEN 'nan'::DOUBLE WHEN n % 501 = 0 THEN -0.0::DOUBLE WHEN n < 300 THEN NULL ELSE (n - 4000) / 8.0 END",
    dec: '(n // 100)::DECIMAL(9, 2) / 4 - 5',
    dt: "DATE '2001-01-01' + CAST(n // 480 AS INTEGER)",
    b: 'CASE WHEN n % 3000 < 2500 THEN n % 2000 < 1000 END',
    tz: "TIMESTAMPTZ '2001-01-01 00:00:00+00' + to_hours(CAST(n // 20 AS INTEGER))",
    f: "CASE WHEN n > 7000 THEN 'inf'::FLOAT ELSE (n / 7.0)::FLOAT END",
    st: "{'a': CAST(n // 700 AS INTEGER), 'w': 'w' || n // 700}",
    wide: 'CAST(n // 50 AS DECIMAL(30, 5)) * 1000000000000000',
    extra: 'CAST(n // 400 AS INTEGER)',
    long_i: 'n // 300',
  };
  const renamed: Record<string, string> = { text: 's', day: 'dt' };
  const columns = [...names].map((name) => `${values[renamed[name] ?? name]} AS "${name}"`);
  return `SELECT ${columns.join(', ')} FROM range(${from}, ${from + count}) AS r(n) ORDER BY n`;
}

const SPECS: readonly (readonly PartitionFieldRequest[])[] = [
  [],
  [],
  [{ source: 'id', transform: 'truncate[3000]' }],
  [{ source: 'ts', transform: 'month' }],
  [{ source: 'b', transform: 'identity' }],
  [{ source: 's', transform: 'truncate[1]' }],
  [{ source: 'i', transform: 'bucket[2]' }],
];

const number = fc.integer({ min: -20, max: 40 });
const text = fc.constantFrom('a', 'b', 'b1', 'c2é', 'd', 'z', '', "'");
const day = fc.integer({ min: -2, max: 25 }).map((n) => `DATE '2001-01-05' + ${n}`);
const quoted = text.map((value) => `'${value.replaceAll("'", "''")}'`);
const comparison = fc.constantFrom('=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM');

/** A condition over the columns that every table has at all times; `long_i` and others that come and go are in `more`. */
const leaf: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(comparison, number).map(([op, n]) => `id ${op} ${n * 200}`),
  fc.tuple(number, fc.nat(900)).map(([n, w]) => `id BETWEEN ${n * 200} AND ${n * 200 + w}`),
  fc.tuple(comparison, number).map(([op, n]) => `$i ${op} ${n}`),
  fc.tuple(number, comparison).map(([n, op]) => `${n} ${op === 'IS DISTINCT FROM' ? '=' : op} $i`),
  fc.array(number, { minLength: 1, maxLength: 4 }).map((all) => `$i IN (${all.join(', ')})`),
  fc.array(number, { minLength: 1, maxLength: 4 }).map((all) => `$i NOT IN (${all.join(', ')}, NULL)`),
  number.map((n) => `$i + 3 = ${n}`),
  number.map((n) => `$i::VARCHAR = '${n}'`),
  number.map((n) => `$i = ${n}.5`),
  number.map((n) => `abs($i) = ${Math.abs(n)}`),
  fc.tuple(comparison, day).map(([op, d]) => `ts ${op} ${d}`),
  day.map((d) => `ts::DATE = ${d}`),
  day.map((d) => `date_trunc('day', ts) = ${d}`),
  fc.tuple(comparison, day).map(([op, d]) => `tz ${op} ${d}`),
  fc.tuple(comparison, day).map(([op, d]) => `$dt ${op} ${d}`),
  fc.array(day, { minLength: 1, maxLength: 3 }).map((all) => `$dt IN (${all.join(', ')})`),
  fc.tuple(comparison, quoted).map(([op, t]) => `$s ${op} ${t}`),
  quoted.map((t) => `$s LIKE ${t.slice(0, -1)}%'`),
  quoted.map((t) => `$s NOT LIKE ${t.slice(0, -1)}%'`),
  quoted.map((t) => `$s LIKE '_${t.slice(1)}`),
  quoted.map((t) => `starts_with($s, ${t})`),
  quoted.map((t) => `upper($s) = upper(${t})`),
  fc
    .tuple(comparison, fc.constantFrom('0.0', '-0.0', '12.5', '-100', "'nan'::DOUBLE", "'inf'::DOUBLE"))
    .map(([op, n]) => `x ${op} ${n}`),
  fc.tuple(comparison, number).map(([op, n]) => `dec ${op} ${n}.25`),
  fc.tuple(comparison, number).map(([op, n]) => `wide ${op} ${n}000000000000000.5`),
  fc.tuple(comparison, number).map(([op, n]) => `f ${op} ${n * 30}.5`),
  fc.constantFrom(
    'b',
    'NOT b',
    'b IS NULL',
    'b = false',
    'isnan(x)',
    'NOT isnan(x)',
    'x IS NULL',
    '$s IS NOT NULL',
    '$i IS NULL',
  ),
  fc.tuple(comparison, number).map(([op, n]) => `st.a ${op} ${n}`),
  fc.constantFrom(
    "st.w = 'w3'",
    'st IS NULL',
    'CASE WHEN id < 700 THEN true ELSE b END',
    'coalesce($i, 3) = 3',
    'true',
    'false',
    'NULL',
  ),
  number.map((n) => `id < (SELECT ${n} * 100)`),
);
const { tree: condition } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a} AND ${b})`),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a} OR ${b})`),
    tie('tree').map((a) => `NOT (${a})`),
  ),
}));

const query = fc
  .tuple(condition, condition, condition)
  .chain(([p, q, r]) =>
    fc.constantFrom(
      `SELECT * FROM t.rows WHERE ${p}`,
      `SELECT count(*) AS n, count($i) AS m FROM t.rows WHERE ${p} AND ${q}`,
      `SELECT $s, min(id) AS least, max(x) AS most FROM t.rows WHERE ${p} GROUP BY $s HAVING count(*) > 3`,
      `SELECT a.id, b.id AS other FROM t.rows a JOIN t.rows b ON a.id = b.id + 20 WHERE a.${'id'} >= 0 AND ${on(p, 'a')} AND ${on(q, 'b')}`,
      `SELECT a.id, b.id AS other FROM t.rows a LEFT JOIN t.rows b ON a.id = b.id AND ${on(q, 'b')} WHERE ${on(p, 'a')}`,
      `SELECT id FROM t.rows WHERE ${p} UNION ALL SELECT id FROM t.rows WHERE ${q}`,
      `WITH c AS (SELECT id, $i AS i FROM t.rows WHERE ${p}) SELECT x.id, y.i FROM c x JOIN c y USING (id) WHERE x.id > 100`,
      `WITH c AS MATERIALIZED (SELECT * FROM t.rows WHERE ${p}) SELECT id FROM c WHERE ${q}`,
      `SELECT id FROM t.rows WHERE ${p} AND id IN (SELECT id + 1 FROM t.rows WHERE ${q})`,
      `SELECT id FROM t.rows a WHERE EXISTS (SELECT 1 FROM t.rows b WHERE b.id = a.id + 1 AND ${on(p, 'b')}) AND ${on(r, 'a')}`,
      `SELECT id FROM t.rows a WHERE NOT EXISTS (SELECT 1 FROM t.rows b WHERE b.id = a.id + 1 AND ${on(p, 'b')}) AND ${on(r, 'a')}`,
      `SELECT id, row_number() OVER (PARTITION BY $i ORDER BY id) AS n FROM t.rows WHERE ${p} QUALIFY n < 3`,
      `SELECT * FROM (SELECT id, $i AS i, sum(dec) OVER (PARTITION BY $i) AS total FROM t.rows) WHERE i > 3 AND i < 9`,
      `SELECT id FROM t.rows WHERE ${p} ORDER BY id DESC LIMIT 7`,
      `SELECT DISTINCT $i AS i FROM (SELECT * FROM t.rows WHERE ${p}) WHERE ${q}`,
      `SELECT max(id) FILTER (WHERE ${p}) AS m FROM t.rows WHERE ${q}`,
      `SELECT count(*) AS n FROM t.rows`,
      `SELECT id FROM t.rows WHERE ${p} EXCEPT SELECT id FROM t.rows WHERE ${q}`,
      `SELECT id, t FROM (SELECT id, rows AS t FROM t.rows) WHERE id < 40`,
      `SELECT id FROM t.rows WHERE ts > now() - INTERVAL 100 YEAR AND ${p}`,
    ),
  );

/** The condition with its columns read of one of the tables of the query. */
function on(sql: string, alias: string): string {
  return sql.replaceAll(
    /(?<![\w'.$])(\$(?:i|s|dt)|id|ts|tz|x|dec|wide|f|b|st)(?![\w'(])/g,
    (name) => `${alias}.${name}`,
  );
}

interface Shape {
  readonly spec: readonly PartitionFieldRequest[];
  readonly steps: readonly ('append' | 'positions' | 'equality' | 'evolve' | 'spec')[];
  readonly queries: readonly (readonly [string, number])[];
}

const shape: fc.Arbitrary<Shape> = fc.record({
  spec: fc.constantFrom(...SPECS),
  steps: fc.array(fc.constantFrom('append', 'positions', 'equality', 'evolve', 'spec'), { maxLength: 4 }),
  queries: fc.array(fc.tuple(query, fc.nat(5)), { minLength: 10, maxLength: 10 }),
});

/** Builds the table; which names its columns have then. */
async function build(lake: PrunedLake, { steps }: Shape): Promise<ReadonlySet<string>> {
  const names = async () => new Set((await lake.schema()).fields.map((field) => field.name));
  const renamed = (all: ReadonlySet<string>) => (all.has('text') ? 'text' : 's');
  await lake.append(rowsSql(0, 4500, await names()));
  for (const [at, step] of steps.entries()) {
    if (step === 'append') await lake.append(rowsSql(4500 + at * 700, 2500, await names()));
    if (step === 'positions')
      await lake.delete(`id % 97 = ${at} OR ${renamed(await names())} = 'b1é' AND id < 1500`);
    if (step === 'equality' && at === 0) await lake.deleteEqual('id', ['7', '1033', '2048', '2049', '4999']);
    if (step === 'evolve' && !(await names()).has('extra')) {
      await lake.alter({
        columns: [
          { action: 'add-column', name: 'extra', type: 'int' },
          { action: 'rename-column', column: 's', to: 'text' },
          { action: 'widen-column', column: 'i', type: 'long' },
          { action: 'move-column', column: 'x', position: 'first' },
        ],
      });
    }
    if (step === 'spec') {
      await lake
        .alter({
          partitioning: { add: [{ source: 'id', transform: 'truncate[2000]', name: `p${at}` }], drop: [] },
        })
        .catch(() => undefined);
    }
  }
  return names();
}

it('answers as without pruning, whatever the table and the query, and prunes', async () => {
  const seen = { queries: 0, understood: 0, fewerFiles: 0, fewerRows: 0, fewerColumns: 0 };
  await fc.assert(
    fc.asyncProperty(shape, async (drawn) => {
      const spec = buildPartitionSpec(SCHEMA, drawn.spec);
      const unpartitioned = drawn.spec.length === 0;
      const steps = drawn.steps.filter((step, at) => step !== 'equality' || (unpartitioned && at === 0));
      const lake = await PrunedLake.open(SCHEMA, spec);
      try {
        await build(lake, { ...drawn, steps });
        const snapshots = await lake.snapshots();
        for (const [template, at] of drawn.queries) {
          const past = snapshots[at];
          const point = past === undefined ? {} : { snapshotId: past };
          const sql = await named(lake, template, past !== undefined);
          const whole = await lake.ask(sql, point, false);
          if (whole.rows === null) continue;
          const pruned = await lake.ask(sql, point, true);
          expect(pruned.rows, sql).toEqual(whole.rows);
          seen.queries++;
          if (pruned.need !== undefined) seen.understood++;
          if (pruned.files < whole.files) seen.fewerFiles++;
          else if (pruned.given < whole.given) seen.fewerRows++;
          if (pruned.need && pruned.need.columns.size < SCHEMA.fields.length / 2) seen.fewerColumns++;
        }
      } finally {
        await lake.close();
      }
    }),
    { numRuns: 6, endOnFailure: true, seed: SEED },
  );
  expect(seen.queries).toBeGreaterThan(40);
  expect(seen.understood / seen.queries).toBeGreaterThan(0.7);
  expect(seen.fewerFiles + seen.fewerRows).toBeGreaterThan(seen.queries / 8);
  expect(seen.fewerRows).toBeGreaterThan(0);
  expect(seen.fewerColumns).toBeGreaterThan(seen.queries / 4);
}, 300_000);

it('deletes the right rows of a file of which some row groups are enough', async () => {
  const lake = await PrunedLake.open(SCHEMA, buildPartitionSpec(SCHEMA, []));
  const ids = async (where: string, pruned: boolean) =>
    lake.ask(`SELECT id FROM t.rows WHERE ${where}`, {}, pruned);
  try {
    await lake.append(rowsSql(0, 6000, new Set(SCHEMA.fields.map((field) => field.name))));
    const before = await ids('id BETWEEN 4200 AND 4210', true);
    expect(before.given).toBeLessThan(2200);
    await lake.deleteEqual('id', ['4204', '5000']);
    const equality = await ids('id BETWEEN 4200 AND 4210', true);
    expect(equality.given).toBeLessThan(2200);
    expect(equality.rows).toEqual(before.rows?.filter((row) => row !== '{"id":4204}'));
    await lake.delete('id IN (4206, 100, 2050)');
    const positions = await ids('id BETWEEN 4200 AND 4210', true);
    expect(positions.rows).toEqual(equality.rows?.filter((row) => row !== '{"id":4206}'));
    expect(positions.rows).toEqual((await ids('id BETWEEN 4200 AND 4210', false)).rows);
  } finally {
    await lake.close();
  }
});

it('asks a partition for no column that a part leaves out', async () => {
  const spec = buildPartitionSpec(SCHEMA, [{ source: 'dt', transform: 'identity' }]);
  const lake = await PrunedLake.open(SCHEMA, spec);
  try {
    const names = SCHEMA.fields.map(({ name }) => name);
    const rows = rowsSql(0, 50, new Set(names.filter((name) => name !== 'dt')));
    await lake.append(
      `SELECT ${names.map((name) => `"${name}"`).join(', ')} FROM (SELECT *, '-infinity'::DATE AS dt FROM (${rows}))`,
    );
    const sql = 'SELECT id FROM t.rows WHERE id < 3';
    const pruned = await lake.ask(sql, {}, true);
    expect(pruned.need?.columns.size).toBe(1);
    expect(pruned.rows).toEqual((await lake.ask(sql, {}, false)).rows);
  } finally {
    await lake.close();
  }
});

it('fails on a column that the need leaves out, and counts rows without any', async () => {
  const engine = await openDuckDb({ tempDirectory: 'unused', threads: 1 });
  const fixture = await openFixture('v2_transforms');
  try {
    const scan = await planMetadataScan('golden', fixture.metadata, fixture.objects);
    const need = { filter: { kind: 'true' as const }, columns: new Set<number>() };
    const view = { localPath: fixture.localPath, need };
    await createTableView(engine, '"t"."bare"', scan, view);
    await expect(engine.all('SELECT * FROM t.bare')).rejects.toThrow(/left out of the plan/);
    expect(await engine.all('SELECT count(*) AS n FROM t.bare')).toEqual([
      { n: fixture.expected['current']?.length },
    ]);
  } finally {
    await engine.close();
  }
});

/** The template with the columns' names of the time that it asks for. */
async function named(lake: PrunedLake, template: string, past: boolean): Promise<string> {
  const names = new Set((await lake.schema()).fields.map((field) => field.name));
  const text = names.has('text') && !past ? 'text' : 's';
  return template
    .replaceAll('$s', () => text)
    .replaceAll('$i', () => 'i')
    .replaceAll('$dt', () => 'dt');
}
