import { describe, expect, test } from 'vitest';
import { bind, evaluateRow } from '../../src/iceberg/expressions.ts';
import { parsePredicate } from '../../src/iceberg/predicate-sql.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Value } from '../../src/iceberg/types.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'name', required: false, type: 'string' },
    { id: 3, name: 'date', required: false, type: 'timestamp' },
    { id: 4, name: 'price', required: false, type: 'decimal(9,2)' },
    { id: 5, name: 'ok', required: false, type: 'boolean' },
    { id: 6, name: 'Odd "name', required: false, type: 'int' },
    {
      id: 7,
      name: 'at',
      required: false,
      type: { type: 'struct', fields: [{ id: 8, name: 'day', required: false, type: 'date' }] },
    },
  ],
};

/** Micros of 2001-01-05T10:00:00. */
const TEN = 978_688_800_000_000n;
const row: Record<number, Value> = { 1: 7n, 2: "O'Hare", 3: TEN, 4: 1420n, 5: true, 6: null, 8: 11327 };

function selects(text: string): boolean {
  return evaluateRow(bind(parsePredicate(text), schema), (id) => row[id] ?? null);
}

describe('parsePredicate', () => {
  test.each([
    ["id = 7 AND name = 'O''Hare'", true],
    ['id = 8 OR id = 7 AND NOT ok', false],
    ['NOT (id < 7 OR id > 7)', true],
    ['7.5 > id', true],
    ['id IN (1, -2, 7)', true],
    ['id NOT IN (1, 2)', true],
    ['id not between 1 and 6', true],
    ["name LIKE 'O%' and name NOT LIKE 'X%'", true],
    ["\"date\" >= '2001-01-05' AND date < DATE '2001-01-06'", true],
    ["date > TIMESTAMP '2001-01-05 10:00:00'", false],
    ['price = 14.2 AND price < 14.205 AND price > 14.195', true],
    ['price = 14.205', false],
    ['ok AND true', true],
    ['"Odd ""name" IS NULL', true],
    ['"Odd ""name" <> 5', false],
    ['NOT "Odd ""name" = 5', false],
    ["AT.DAY = '2001-01-05'", true],
    ["starts_with(name, 'O') AND name is not null", true],
  ])('%s is %s', (text, expected) => {
    expect(selects(text)).toBe(expected);
  });

  test.each([
    '',
    'id =',
    'id = 7)',
    '(id = 7',
    'id = other',
    'id = 7 + 1',
    'id = NULL',
    'id IN (1, NULL)',
    "lower(name) = 'x'",
    'date > now()',
    "name LIKE '%x'",
    "name LIKE 'a_c'",
    "name LIKE 'a%' ESCAPE 'a'",
    "name = 'x' COLLATE nocase",
    'id = 7 -- all',
    'id = 7; DROP TABLE t',
    'id::int = 7',
    'id = 1_000',
    "name = 'open",
    'id IN (SELECT 1)',
    'id IS DISTINCT FROM 7',
    'CASE WHEN ok THEN true END',
    `${'('.repeat(100_000)}ok`,
  ])('%s is left to the engine', (text) => {
    expect(() => parsePredicate(text)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
  });

  test('a misspelt column is named with the one that was meant', () => {
    expect(() => selects("naem = 'x'")).toThrow(
      expect.objectContaining({ kind: 'not-found', hint: 'did you mean name?' }),
    );
  });
});
