import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestSql } from '../../examples/flights/demo/digest.ts';

/** A column of every type of the demo's tables, and the literals of its values in DuckDB. */
const COLUMNS: readonly {
  readonly name: string;
  readonly type: string;
  readonly value: fc.Arbitrary<string>;
}[] = [
  { name: 'key', type: 'varchar', value: fc.string({ maxLength: 40 }).map(textLiteral) },
  { name: 'origin', type: 'varchar', value: fc.constantFrom("'DEN'", "'EWR'", "'LGA'") },
  { name: 'row', type: 'bigint', value: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }).map(String) },
  { name: 'delay', type: 'integer', value: fc.integer({ min: -1440, max: 2880 }).map(String) },
  { name: 'late', type: 'boolean', value: fc.boolean().map(String) },
  {
    name: 'day',
    type: 'date',
    value: fc.integer({ min: 0, max: 20_000 }).map((n) => `DATE '1970-01-01' + ${n}`),
  },
  {
    name: 'time',
    type: 'timestamp(6)',
    value: fc.integer({ min: -1e9, max: 2e9 }).map((n) => `make_timestamp(${n}000000)`),
  },
  {
    name: 'average',
    type: 'double',
    value: fc.integer({ min: -1e5, max: 1e5 }).map((n) => `${n / 100}::DOUBLE`),
  },
];
const COUNT = COLUMNS.length;
const NULL = 'NULL';

function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''").replaceAll('\0', '')}'`;
}

const row = fc.tuple(
  ...COLUMNS.map(({ value }) =>
    fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NULL) }),
  ),
);
const rows = fc.array(row, { minLength: 2, maxLength: 8 });

describe('the digest of all rows', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const types: Readonly<Record<string, string>> = { 'timestamp(6)': 'TIMESTAMP' };
  const casts = COLUMNS.map(
    ({ name, type }) => `CAST("${name}" AS ${types[type] ?? type}) AS "${name}"`,
  ).join(', ');
  const digest = async (table: readonly (readonly string[])[]): Promise<string> => {
    const names = COLUMNS.map(({ name }) => `"${name}"`).join(', ');
    const values = table.map((one) => `(${one.join(', ')})`).join(', ');
    const from = `(SELECT ${casts} FROM (VALUES ${values}) AS v(${names})) AS t`;
    return JSON.stringify((await connection.runAndReadAll(digestSql(COLUMNS, from, 'DuckDB'))).getRowsJson());
  };
  /** The values as DuckDB has them: literals that differ may be the same value. */
  const bag = (table: readonly (readonly string[])[]) =>
    JSON.stringify(table.map((one) => JSON.stringify(one)).sort());

  it('is the same in any order of the rows', () =>
    fc.assert(
      fc.asyncProperty(rows, async (table) => {
        expect(await digest(table.toReversed())).toBe(await digest(table));
      }),
      { numRuns: 20 },
    ));

  it('tells of a value that is another one, or in another row, and of a row that is lost or doubled', () => {
    const place = fc.nat({ max: COUNT - 1 });
    return fc.assert(
      fc.asyncProperty(rows, row, place, fc.nat(), fc.nat(), async (table, other, column, i, j) => {
        const at = i % table.length;
        const to = j % table.length;
        const changed = table.map((one, k) => (k === at ? one.with(column, other[column] ?? NULL) : one));
        const swapped = table
          .with(at, (table[at] ?? other).with(column, table[to]?.[column] ?? NULL))
          .with(
            to,
            at === to ? (table[at] ?? other) : (table[to] ?? other).with(column, table[at]?.[column] ?? NULL),
          );
        const lost = table.toSpliced(at, 1);
        const doubled = table.with(at, table[to] ?? other);
        const before = await digest(table);
        for (const after of [changed, swapped, lost, doubled]) {
          expect((await digest(after)) === before, `${bag(table)} ${bag(after)}`).toBe(
            bag(after) === bag(table),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
