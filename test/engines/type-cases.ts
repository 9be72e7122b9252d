import { parseType } from '../../src/iceberg/type-text.ts';
import type { Type } from '../../src/iceberg/types.ts';
import type { TestValue } from './type-literals.ts';

/** A type with values that are easy to get wrong. */
export interface TypeCase {
  /** The row of the matrix: the type's text. */
  readonly name: string;
  readonly type: Type;
  /** In ascending order for types that have one (NaN last). */
  readonly values: readonly TestValue[];
  /** Whether the values are compared in filters. */
  readonly isOrdered: boolean;
}

const FACE = '\u{1F600}';
const LAST = '\u{10FFFF}';

const PRIMITIVES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['false', 'true'],
  int: ['-2147483648', '-1', '0', '1', '2147483647'],
  long: ['-9223372036854775808', '-9007199254740993', '-1', '0', '9007199254740993', '9223372036854775807'],
  float: [
    '-Infinity',
    '-3.4028235e38',
    '-0.1',
    '-1e-45',
    '-0.0',
    '0.0',
    '1e-45',
    '16777216',
    '3.4028235e38',
    'Infinity',
    'NaN',
  ],
  double: [
    '-Infinity',
    '-1.7976931348623157e308',
    '-0.1',
    '-5e-324',
    '-0.0',
    '0.0',
    '5e-324',
    '0.30000000000000004',
    '1.7976931348623157e308',
    'Infinity',
    'NaN',
  ],
  'decimal(4, 2)': ['-99.99', '-0.01', '0.00', '0.01', '99.99'],
  'decimal(9, 0)': ['-999999999', '-1', '0', '999999999'],
  'decimal(18, 6)': ['-999999999999.999999', '-0.000001', '0.000000', '1.500000', '999999999999.999999'],
  'decimal(19, 2)': [
    '-99999999999999999.99',
    '-0.01',
    '0.00',
    '92233720368547758.08',
    '99999999999999999.99',
  ],
  'decimal(38, 10)': [
    '-9999999999999999999999999999.9999999999',
    '-1.0000000000',
    '-0.0000000001',
    '0.0000000000',
    '0.0000000001',
    '170141183460469231731687303.7158841057',
    '9999999999999999999999999999.9999999999',
  ],
  'decimal(38, 38)': [
    '-0.99999999999999999999999999999999999999',
    '0.00000000000000000000000000000000000001',
  ],
  date: [
    '0044-03-15 (BC)',
    '0001-01-01',
    '1582-10-04',
    '1582-10-15',
    '1969-12-31',
    '1970-01-01',
    '2024-02-29',
    '9999-12-31',
    '12345-06-07',
  ],
  time: ['00:00:00', '00:00:00.000001', '12:34:56.789', '23:59:59.999999'],
  timestamp: [
    '0044-03-15 (BC) 01:02:03.000004',
    '0001-01-01 00:00:00',
    '1582-10-04 23:59:59.999999',
    '1969-12-31 23:59:59.999999',
    '1970-01-01 00:00:00',
    '2024-02-29 12:00:00.1',
    '9999-12-31 23:59:59.999999',
  ],
  timestamptz: [
    '0001-01-01 00:00:00',
    '1582-10-04 23:59:59.999999',
    '1969-12-31 23:59:59.999999',
    '1970-01-01 00:00:00',
    '2024-02-29 12:00:00.1',
    '9999-12-31 23:59:59.999999',
  ],
  // In the order of UTF-8, which is not that of UTF-16: U+FFFD comes before U+1F600. Bounds of the long ones are cut.
  string: [
    '',
    '\0',
    ' \'"\\,{}',
    'a',
    'a\0',
    'abcdefghijklmnop',
    'abcdefghijklmnopq',
    'e\u0301',
    '\u00e9',
    '\ufffd'.repeat(17),
    FACE,
    FACE.repeat(40),
    LAST.repeat(17),
  ],
  binary: ['', '00', '0000', '7f', '80', '80'.repeat(20), 'ff', 'ff'.repeat(20)],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    '3f3e3d3c-3b3a-3938-3736-353433323130',
    '7fffffff-ffff-ffff-ffff-ffffffffffff',
    '80000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ],
};

const FIXED: Readonly<Record<string, readonly string[]>> = {
  'fixed[3]': ['000000', '7fffff', '800000', 'ffffff'],
};

const NESTED: Readonly<Record<string, readonly TestValue[]>> = {
  'list<int>': [[], ['1', null, '-3'], [null]],
  'list<string>': [[''], [], ['\u00e9', null, FACE]],
  'list<list<decimal(38, 10)>>': [[[]], [null, ['-0.0000000001', null]], []],
  'map<string, long>': [
    new Map(),
    new Map([
      ['', '9223372036854775807'],
      [FACE, null],
    ]),
  ],
  'map<int, timestamp>': [
    new Map([
      ['-5', '1969-12-31 23:59:59.999999'],
      ['7', null],
    ]),
    new Map(),
  ],
  'struct<a: int, b: string>': [
    { a: '1', b: '' },
    { a: null, b: null },
    { a: '-2147483648', b: FACE },
  ],
  'struct<x: struct<y: double, z: list<date>>>': [
    { x: { y: 'NaN', z: ['1582-10-04', null] } },
    { x: null },
    { x: { y: '-0.0', z: null } },
  ],
  'list<struct<k: uuid, v: map<string, list<boolean>>>>': [
    [],
    [
      { k: '80000000-0000-0000-0000-000000000000', v: new Map([['p', ['true', null, 'false']]]) },
      null,
      { k: null, v: null },
    ],
  ],
  'map<date, struct<t: timestamptz, b: binary>>': [
    new Map([
      ['0001-01-01', { t: '0001-01-01 00:00:00', b: '' }],
      ['2024-02-29', null],
    ]),
  ],
};

const cases = (
  given: Readonly<Record<string, readonly TestValue[]>>,
  isOrdered: boolean,
): readonly TypeCase[] =>
  Object.entries(given).map(([name, values]) => ({ name, type: parseType(name), values, isOrdered }));

/** The types that Lakewarden and Trino both have. */
export const TYPE_CASES: readonly TypeCase[] = [...cases(PRIMITIVES, true), ...cases(NESTED, false)];

/** A type that Trino has no name for. */
export const FIXED_CASES: readonly TypeCase[] = cases(FIXED, true);
