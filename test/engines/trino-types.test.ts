import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JsonValue, Row } from '../../src/engine/row-values.ts';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import { assignFreshIds } from '../../src/iceberg/schema.ts';
import { appendSelect } from '../../src/table/append.ts';
import { BothEngines, trinoRefusal } from './both-engines.ts';
import { MatrixPart } from './matrix.ts';
import { withStack } from './stack.ts';
import { FIXED_CASES, TYPE_CASES, type TypeCase } from './type-cases.ts';
import { duckLiteral, jsonOf, type TestValue, trinoLiteral, trinoType } from './type-literals.ts';

const NAMESPACE = 'trino_types';
const ENGINE = { name: 'trino', engine: 'Trino 476' };

/** Rows with this much more in their id lie in one file together; of the others each has a file of its own, whose bounds are those of its value. */
const TOGETHER = 100;
const ROWS = Math.max(...TYPE_CASES.map(({ values }) => values.length)) + 1;
const IDS = [...Array(ROWS).keys()].flatMap((i) => [i, TOGETHER + i]).sort((a, b) => a - b);

type Literal = (type: TypeCase['type'], value: TestValue) => string;

const column = (index: number): string => `c${index}`;
const valueAt = ({ values }: TypeCase, id: number): TestValue => values[id % TOGETHER] ?? null;
const partOf = (id: number): number => Math.min(id, TOGETHER);

/** The rows of a table, as VALUES; the first column tells the file, the second the row. */
function rowsSql(cases: readonly TypeCase[], literal: Literal): string {
  return IDS.map(
    (id) => `(${[partOf(id), id, ...cases.map((one) => literal(one.type, valueAt(one, id)))].join(', ')})`,
  ).join(',\n');
}

const expected = (one: TypeCase): { id: number; v: JsonValue }[] =>
  IDS.map((id) => ({ id, v: jsonOf(one.type, valueAt(one, id)) }));

/**
 * Filters, and the ids of the rows that they select: each value of the type is looked for. NaN is above all in Lakewarden's SQL, and in none of Trino's comparisons.
 */
function filtersOf(one: TypeCase, literal: Literal, name: string, nan: 'greatest' | 'nothing') {
  // Trino's IN of reals tells the two zeros of a table apart: see `tellsZerosApart`.
  const isZeroLeftOut = nan === 'nothing' && one.type === 'float';
  const ranks = rankOf(one);
  const select = (fits: (rank: number | null) => boolean, isSeen = (_: TestValue) => true): number[] =>
    IDS.filter((id) => fits(ranks[id % TOGETHER] ?? null) && isSeen(valueAt(one, id)));
  const missing = { where: `${name} IS NULL`, ids: select((rank) => rank === null) };
  if (!one.isOrdered) return [missing];
  const known = [...one.values.entries()].filter(([, value]) => value !== 'NaN');
  const among = (odd: number) => {
    const chosen = known.filter(
      ([i, value]) => i % 2 === odd && !(isZeroLeftOut && (value === '0.0' || value === '-0.0')),
    );
    const texts = chosen.map(([, value]) => literal(one.type, value));
    const wanted = chosen.map(([i]) => ranks[i]);
    return {
      where: `${name} IN (${texts.join(', ')})`,
      ids: select((rank) => rank !== null && wanted.includes(rank)),
    };
  };
  const [at, value] = known[known.length >> 1] ?? [0, null];
  const own = ranks[at] ?? 0;
  return [
    missing,
    among(0),
    among(1),
    { where: `${name} < ${literal(one.type, value)}`, ids: select((rank) => rank !== null && rank < own) },
    {
      where: `${name} >= ${literal(one.type, value)}`,
      ids: select(
        (rank) => rank !== null && rank >= own,
        (found) => nan === 'greatest' || found !== 'NaN',
      ),
    },
  ];
}

/** The place of each value in the order of its type; the two zeros are one. */
function rankOf({ values }: TypeCase): readonly number[] {
  const ranks: number[] = [];
  for (const [i, value] of values.entries())
    ranks.push(value === '0.0' && values[i - 1] === '-0.0' ? (ranks[i - 1] ?? 0) : i);
  return ranks;
}

withStack('types of Trino', () => {
  let both: BothEngines;
  const matrix = new MatrixPart({ ...ENGINE, part: 'types', refusal: trinoRefusal });

  async function lakewardenWrites(name: string, cases: readonly TypeCase[], rows: boolean): Promise<void> {
    const fields = [
      { id: 1, name: 'part', required: false, type: 'int' },
      { id: 2, name: 'id', required: false, type: 'int' },
      ...cases.map(({ type }, i) => ({ id: 3 + i, name: column(i), required: false, type })),
    ];
    const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
    await both.lake.catalog.createTable([NAMESPACE], {
      name,
      schema,
      'partition-spec': buildPartitionSpec(schema, [{ source: 'part', transform: 'identity' }]),
    });
    if (!rows) return;
    const names = ['part', 'id', ...cases.map((_, i) => column(i))];
    const sql = `SELECT * FROM (VALUES ${rowsSql(cases, duckLiteral)}) AS t(${names.join(', ')})`;
    await appendSelect(both.lake, both.engine, both.id(name), { sql });
  }

  beforeAll(async () => {
    both = await BothEngines.open(NAMESPACE);
    const columns = TYPE_CASES.map(({ type }, i) => `${column(i)} ${trinoType(type)}`);
    await both.run(
      `CREATE TABLE ${NAMESPACE}.by_trino (part integer, id integer, ${columns.join(', ')}) WITH (partitioning = ARRAY['part'])`,
      `INSERT INTO ${NAMESPACE}.by_trino VALUES ${rowsSql(TYPE_CASES, trinoLiteral)}`,
    );
    await lakewardenWrites('by_lakewarden', TYPE_CASES, true);
    await lakewardenWrites('fixed_by_lakewarden', FIXED_CASES, true);
    await lakewardenWrites('fixed_by_trino', FIXED_CASES, false);
  });
  afterAll(() => both.close());

  /** All rows of a table, asked for once. */
  const whole = new Map<string, Promise<readonly Row[]>>();
  function allRows(reader: 'trinoRows' | 'lakeRows', table: string): Promise<readonly Row[]> {
    const key = `${reader} ${table}`;
    const rows = whole.get(key) ?? both[reader](`SELECT * FROM ${NAMESPACE}.${table} ORDER BY id`);
    whole.set(key, rows);
    return rows;
  }

  /** The column as one of the engines reads it is what was written, to the bit. */
  async function sameRows(
    reader: 'trinoRows' | 'lakeRows',
    table: string,
    one: TypeCase,
    name: string,
  ): Promise<void> {
    const rows = await allRows(reader, table);
    expect(
      rows.map((row) => ({ id: row['id'], v: row[name] })),
      `${table} by ${reader}`,
    ).toEqual(expected(one));
  }

  /** Trino filters by the bounds that Lakewarden wrote. */
  async function trinoFilters(table: string, one: TypeCase, name: string): Promise<void> {
    const filters = filtersOf(one, trinoLiteral, name, 'nothing');
    const each = filters.map(
      ({ where }, i) => `SELECT ${i} AS f, id FROM ${NAMESPACE}.${table} WHERE ${where}`,
    );
    const found = await both.trinoRows(`${each.join(' UNION ALL ')} ORDER BY f, id`);
    for (const [i, { where, ids }] of filters.entries()) {
      const rows = found.filter(({ f }) => f === i);
      expect(
        rows.map(({ id }) => id),
        `${table} WHERE ${where}`,
      ).toEqual(ids);
    }
  }

  /** What Trino 476 does with any table, its own included: `=` finds both zeros, IN of several values one of them. */
  async function tellsZerosApart(table: string, name: string): Promise<void> {
    const zeros = async (where: string) =>
      (
        await both.trinoRows(
          `SELECT DISTINCT CAST(${name} AS varchar) AS v FROM ${NAMESPACE}.${table} WHERE ${where} ORDER BY v`,
        )
      ).map(({ v }) => v);
    expect(await zeros(`${name} = REAL '-0.0'`)).toHaveLength(2);
    expect(await zeros(`${name} IN (REAL '-0.0', REAL '12345678')`)).toHaveLength(1);
  }

  /** Lakewarden filters by the bounds that Trino wrote. */
  async function lakewardenFilters(table: string, one: TypeCase, name: string): Promise<void> {
    for (const { where, ids } of filtersOf(one, duckLiteral, name, 'greatest')) {
      const rows = await both.lakeRows(`SELECT id FROM ${NAMESPACE}.${table} WHERE ${where} ORDER BY id`);
      expect(
        rows.map(({ id }) => id),
        `${table} WHERE ${where}`,
      ).toEqual(ids);
    }
  }

  for (const [i, one] of TYPE_CASES.entries()) {
    matrix.reserve(one.name);
    it.concurrent(`agrees on ${one.name} written by Trino`, () =>
      matrix.see(one.name, 'writes', async () => {
        await sameRows('trinoRows', 'by_trino', one, column(i));
        await sameRows('lakeRows', 'by_trino', one, column(i));
        await lakewardenFilters('by_trino', one, column(i));
      }));
    it.concurrent(`agrees on ${one.name} written by Lakewarden`, () =>
      matrix.see(one.name, 'reads', async () => {
        await sameRows('lakeRows', 'by_lakewarden', one, column(i));
        await sameRows('trinoRows', 'by_lakewarden', one, column(i));
        await trinoFilters('by_lakewarden', one, column(i));
        if (one.type !== 'float') return undefined;
        for (const table of ['by_trino', 'by_lakewarden']) await tellsZerosApart(table, column(i));
        return { wrong: 'real IN (-0.0, …) misses 0.0, in tables that Trino wrote as well' };
      }));
  }

  for (const [i, one] of FIXED_CASES.entries()) {
    matrix.reserve(one.name);
    it.concurrent(`reads ${one.name} written by Lakewarden`, () =>
      matrix.see(one.name, 'reads', async () => {
        await sameRows('lakeRows', 'fixed_by_lakewarden', one, column(i));
        await sameRows('trinoRows', 'fixed_by_lakewarden', one, column(i));
        await trinoFilters('fixed_by_lakewarden', one, column(i));
      }));
    it.concurrent(`tells what becomes of ${one.name} written by Trino`, () =>
      matrix.see(one.name, 'writes', async () => {
        await both.run(
          `INSERT INTO ${NAMESPACE}.fixed_by_trino VALUES ${rowsSql(FIXED_CASES, trinoLiteral)}`,
        );
        await sameRows('trinoRows', 'fixed_by_trino', one, column(i));
        await sameRows('lakeRows', 'fixed_by_trino', one, column(i));
        await lakewardenFilters('fixed_by_trino', one, column(i));
      }));
  }

  it('has seen all of its matrix', () => matrix.finish());
});
