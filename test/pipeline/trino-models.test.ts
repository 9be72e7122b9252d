import { expect, it } from 'vitest';
import { trinoColumns } from '../../src/pipeline/trino-columns.ts';
import { trinoReads } from '../../src/pipeline/trino-result.ts';
import { isTrinoVolatile } from '../../src/pipeline/trino-volatile.ts';

it('a model that Trino runs reads the tables that its SQL names, each once', () => {
  const sql = 'WITH c AS (SELECT * FROM silver.b) SELECT * FROM c JOIN silver.a x USING (id), Silver.B';
  expect(trinoReads(sql)).toEqual(['silver.a', 'silver.b']);
  expect(() => trinoReads('INSERT INTO silver.a SELECT 1')).toThrow(
    expect.objectContaining({ kind: 'usage' }),
  );
});

it.each([
  ['SELECT now()', true],
  ['SELECT * FROM silver.a TABLESAMPLE BERNOULLI (10)', true],
  ['SELECT Current_Date', true],
  ["SELECT 'now()' AS x -- random()", false],
  ['SELECT sum(v) FROM silver.a', false],
])('%s depends on more than its tables: %s', (sql, volatile) => {
  expect(isTrinoVolatile(sql)).toBe(volatile);
});

it.each([
  ['varchar(3)', 'string'],
  ['char(2)', 'string'],
  ['tinyint', 'int'],
  ['decimal(11, 1)', 'decimal(11, 1)'],
  ['timestamp(3)', 'timestamp'],
  ['timestamp(6) with time zone', 'timestamptz'],
  ['time(0)', 'time'],
])("Trino's %s is stored as %s", (type, iceberg) => {
  expect(trinoColumns([{ name: 'a', type }], 'a.sql')).toEqual([{ name: 'a', type: iceberg }]);
});

it.each([
  'timestamp(9)',
  'time(6) with time zone',
  'array(bigint)',
  'json',
  'unknown',
  'interval day to second',
])('what cannot be stored without loss is refused: %s', (type) => {
  expect(() => trinoColumns([{ name: 'a', type }], 'a.sql')).toThrow(
    expect.objectContaining({ kind: 'unsupported', where: 'a.sql' }),
  );
});

it('columns need names of their own', () => {
  const column = (name: string) => ({ name, type: 'bigint' });
  for (const names of [['_col0'], ['a', 'a']]) {
    expect(() => trinoColumns(names.map(column), 'a.sql')).toThrow(
      expect.objectContaining({ kind: 'invalid-file' }),
    );
  }
});
