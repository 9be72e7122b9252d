import { describe, expect, it } from 'vitest';
import { pinTables, refuseWrites, tableMentions } from '../../src/engine/trino-as-of.ts';

/** The query with each table at the snapshot 7. */
const pinned = (sql: string) => {
  const mentions = tableMentions(sql);
  return pinTables(
    sql,
    mentions,
    mentions.map(() => 7n),
  );
};
const V = 'FOR VERSION AS OF 7';

describe('every table of a query gets its version', () => {
  it.each([
    ['select * from g.t', `select * from g.t ${V}`],
    ['SELECT a.x FROM g.t AS a, G."T" b', `SELECT a.x FROM g.t ${V} AS a, G."T" ${V} b`],
    [
      'select * from g.t a join lake.g.u b on a.x = b.x, g.v',
      `select * from g.t ${V} a join lake.g.u ${V} b on a.x = b.x, g.v ${V}`,
    ],
    [
      'with c as (select 1 from g.t) select * from c, g.u',
      `with c as (select 1 from g.t ${V}) select * from c, g.u ${V}`,
    ],
    ['select (select max(x) from g.t), y from g.u', `select (select max(x) from g.t ${V}), y from g.u ${V}`],
    ['select * from (g.t a cross join g.u b)', `select * from (g.t ${V} a cross join g.u ${V} b)`],
    [
      'select 1 from g.t union all select 2 from g.u',
      `select 1 from g.t ${V} union all select 2 from g.u ${V}`,
    ],
    ['select extract(year from a.x) from g.t a', `select extract(year from a.x) from g.t ${V} a`],
    [
      'select x is distinct from a.y, b from g.t a where a.z in (select z from g.u)',
      `select x is distinct from a.y, b from g.t ${V} a where a.z in (select z from g.u ${V})`,
    ],
    [
      'select \'from g.t\', "from g.t" -- from g.t\n/* from g.t */ from g.u',
      `select 'from g.t', "from g.t" -- from g.t\n/* from g.t */ from g.u ${V}`,
    ],
    [
      'select listagg(x) within group (order by x) from g.t a, unnest(a.xs) u(v), lateral (select 1 from g.u) l',
      `select listagg(x) within group (order by x) from g.t ${V} a, unnest(a.xs) u(v), lateral (select 1 from g.u ${V}) l`,
    ],
    ['select * from g . /* x */ t', `select * from g . /* x */ t ${V}`],
    [
      'select array[a.x, 2] from g.t a join g.u b using (k, m), g.w',
      `select array[a.x, 2] from g.t ${V} a join g.u ${V} b using (k, m), g.w ${V}`,
    ],
    ['select * from g.t offset, g.u', `select * from g.t ${V} offset, g.u ${V}`],
    [
      'select * from g.t limit, g.t as fetch, g.u "offset", g.v window',
      `select * from g.t ${V} limit, g.t ${V} as fetch, g.u ${V} "offset", g.v ${V} window`,
    ],
    [
      'select * from g.t offset (a, b) cross join g.u window join g.v on window.x = offset.a, g.w offset 3 limit all',
      `select * from g.t ${V} offset (a, b) cross join g.u ${V} window join g.v ${V} on window.x = offset.a, g.w ${V} offset 3 limit all`,
    ],
    [
      'select a.x, sum(a.y) over w from g.t a, g.u window w as (order by a.x), z as (partition by a.y) offset ? rows fetch first 2 rows only',
      `select a.x, sum(a.y) over w from g.t ${V} a, g.u ${V} window w as (order by a.x), z as (partition by a.y) offset ? rows fetch first 2 rows only`,
    ],
    ['select * from (values (1, 2)) v(a, b), g.t', `select * from (values (1, 2)) v(a, b), g.t ${V}`],
  ])('%s', (sql, expected) => {
    expect(pinned(sql)).toBe(expected);
  });
});

it.each([
  'table g.t',
  "select * from table(lake.system.table_changes('g', 't', 1, 2))",
  'with function f(x int) returns int return x select f(1) from g.t',
  "select * from g.t for timestamp as of timestamp '2001-01-01 00:00:00'",
  'select g.t from g.t',
  'select * from U&"g".t',
  'select 1 from g.t)',
])('a query that could read the present is refused: %s', (sql) => {
  expect(() => tableMentions(sql)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
});

it.each([
  'insert into g.t select 1',
  '-- select\ndrop table g.t',
  'explain analyze delete from g.t',
  'call x()',
  'execute immediate $$drop$$',
  '  ',
])('what is no query is refused: %s', (sql) => {
  expect(() => refuseWrites(sql)).toThrow(expect.objectContaining({ kind: 'usage' }));
});

it.each(['select 1', '/* a */ WITH x AS (SELECT 1) TABLE x', '((select 1))', 'values 1'])(
  'a query: %s',
  (sql) => {
    expect(() => refuseWrites(sql)).not.toThrow();
  },
);
