import { expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { INCONSTANT, queryNeeds } from '../../src/engine/query-needs.ts';
import type { Expression } from '../../src/iceberg/expressions.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Type } from '../../src/iceberg/types.ts';

const TYPES: Readonly<Record<string, Type>> = {
  id: 'long',
  i: 'int',
  ts: 'timestamp',
  s: 'string',
  x: 'double',
  b: 'boolean',
  day: 'date',
  wide: 'decimal(38, 3)',
  u: 'uuid',
};
const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: Object.entries(TYPES).map(([name, type], at) => ({ id: at + 1, name, required: false, type })),
};

/** What is understood of a query, all layers of AND and OR of one child, and TRUE in AND, taken away. */
async function need(query: string) {
  const [found] = await queryNeeds(query, [{ identifier: { namespace: ['g'], name: 't' }, schema }]);
  return found && { filter: simple(found.filter), columns: [...found.columns].sort((a, b) => a - b) };
}
const filterOf = async (where: string) => (await need(`SELECT id FROM g.t WHERE ${where}`))?.filter;

function simple(expression: Expression): Expression {
  if (expression.kind !== 'and' && expression.kind !== 'or') return expression;
  const { kind } = expression;
  const children = expression.children.map(simple).filter((child) => kind === 'or' || child.kind !== 'true');
  if (children.length === 0 || children.some((child) => child.kind === 'true')) return { kind: 'true' };
  return children.length === 1 ? children[0]! : { kind, children };
}

it.each([
  ['i = 3', { kind: 'eq', column: 'i', literal: 3 }],
  ['5 < i', { kind: 'gt', column: 'i', literal: 5 }],
  ['i::BIGINT = 4', { kind: 'eq', column: 'i', literal: 4 }],
  ['id = 9223372036854775807', { kind: 'eq', column: 'id', literal: 2n ** 63n - 1n }],
  ['wide = -12345678901234567890.5', { kind: 'eq', column: 'wide', literal: -12345678901234567890500n }],
  [
    "s LIKE 'ab%'",
    {
      kind: 'and',
      children: [
        { kind: 'gtEq', column: 's', literal: 'ab' },
        { kind: 'lt', column: 's', literal: 'ac' },
      ],
    },
  ],
  ["NOT s LIKE 'ab%'", { kind: 'not', child: { kind: 'startsWith', column: 's', prefix: 'ab' } }],
  ["s IN ('a', 'é')", { kind: 'in', column: 's', literals: ['a', 'é'] }],
  ["day = DATE '1970-01-03'", { kind: 'eq', column: 'day', literal: 2 }],
  [
    "ts::DATE = '1970-01-02'",
    {
      kind: 'and',
      children: [
        { kind: 'gtEq', column: 'ts', literal: 86_400_000_000n },
        { kind: 'lt', column: 'ts', literal: 172_800_000_000n },
      ],
    },
  ],
])('understands %s', async (where, expected) => {
  expect(await filterOf(where)).toEqual(expected);
});

it.each([
  "u = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
  "i::VARCHAR = '3'",
  'abs(i) = 3',
  'i = 3 OR abs(i) = 5',
  'NOT (i = 3 AND abs(i) = 5)',
  "s COLLATE NOCASE = 'a'",
  'i NOT IN (1, NULL)',
])('leaves nothing out for %s', async (where) => {
  expect(await filterOf(where)).toEqual({ kind: 'true' });
});

it('takes what it understands of a condition', async () => {
  expect(await filterOf("upper(s) = 'A' AND i = 3")).toEqual({ kind: 'eq', column: 'i', literal: 3 });
});

it('takes conditions on several columns together, in any order', async () => {
  const found = await filterOf('b AND i IS NULL');
  const children = [
    { kind: 'eq', column: 'b', literal: true },
    { kind: 'isNull', column: 'i' },
  ];
  expect(found).toEqual({ kind: 'and', children: expect.arrayContaining(children) });
});

it('takes both uses of a table together, and one in a subquery too', async () => {
  const either = {
    kind: 'or',
    children: [
      { kind: 'eq', column: 'i', literal: 3 },
      { kind: 'eq', column: 'i', literal: 5 },
    ],
  };
  expect(
    (await need('SELECT a.s FROM g.t a JOIN g.t b USING (id) WHERE a.i = 3 AND b.i = 5'))?.filter,
  ).toEqual(either);
  expect(
    (await need('SELECT id FROM g.t WHERE i = 3 AND id IN (SELECT id FROM g.t WHERE i = 5)'))?.filter,
  ).toEqual(either);
  expect((await need('SELECT id FROM g.t WHERE i = 3 UNION ALL SELECT id FROM g.t'))?.filter).toEqual({
    kind: 'true',
  });
});

it('does not take a filter that comes after what looks at other rows', async () => {
  for (const query of [
    'SELECT * FROM (SELECT id, i, lag(id) OVER (ORDER BY id) AS l FROM g.t) WHERE i = 3',
    'SELECT * FROM (SELECT id, i FROM g.t ORDER BY id LIMIT 3) WHERE i = 3',
    'SELECT * FROM (SELECT * FROM g.t USING SAMPLE 10%) WHERE i = 3',
    'SELECT b.i FROM g.t a LEFT JOIN g.t b ON a.id = b.id WHERE b.i IS NULL',
    'SELECT max(i) FILTER (WHERE i = 3) FROM g.t',
  ])
    expect((await need(query))?.filter, query).toEqual({ kind: 'true' });
});

it('tells the columns that are read', async () => {
  expect((await need('SELECT count(*) FROM g.t'))?.columns).toEqual([]);
  expect((await need('SELECT s FROM g.t WHERE i = 3'))?.columns).toEqual([2, 4]);
  expect((await need('SELECT * EXCLUDE (u, wide) FROM g.t'))?.columns).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect((await need('SELECT t FROM g.t'))?.columns).toHaveLength(9);
  expect(
    (
      await need(
        'WITH c AS MATERIALIZED (SELECT * FROM g.t WHERE i = 3) SELECT a.id FROM c a JOIN c b USING (id)',
      )
    )?.filter,
  ).toEqual({ kind: 'eq', column: 'i', literal: 3 });
});

it('knows nothing of a query that has another answer at another time', async () => {
  for (const now of [
    'now()',
    'current_date',
    'today()',
    'current_timestamp',
    'localtimestamp',
    'CAST(random() AS VARCHAR)::TIMESTAMP',
  ])
    expect(await need(`SELECT id FROM g.t WHERE i = 3 AND ts > ${now}`), now).toBeUndefined();
  expect(await need('SELECT id FROM g.t WHERE i = 3 AND age(ts) < INTERVAL 3 DAY')).toBeUndefined();
  expect(await need("SELECT id FROM g.t WHERE s = current_setting('memory_limit')")).toBeUndefined();
});

it('leaves it to the query to say what is wrong with it', async () => {
  for (const query of [
    'SELECT',
    'SELECT nothing FROM g.t',
    'SELECT * FROM g.other',
    'PIVOT g.t ON s USING sum(i)',
  ])
    expect(await need(query), query).toBeUndefined();
});

/** DuckDB calls these functions constant; each has one value all the same, wherever and whenever. */
const SAME_EVERYWHERE = new Set(['list_pack', 'list_value', 'map', 'pi', 'version']);

it('knows of every function without arguments that DuckDB calls constant whether it is', async () => {
  const engine: DuckDbEngine = await openDuckDb({ tempDirectory: 'unused', threads: 1 });
  try {
    const rows = await engine.all(
      "SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE function_type = 'scalar' AND len(parameters) = 0 AND varargs IS NULL AND stability = 'CONSISTENT'",
    );
    const names = rows.map((row) => String(row['name']));
    expect(names).toContain('current_localtimestamp');
    expect(names.filter((name) => !SAME_EVERYWHERE.has(name) && !INCONSTANT.includes(name))).toEqual([]);
  } finally {
    await engine.close();
  }
});
