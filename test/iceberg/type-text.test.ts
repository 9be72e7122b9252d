import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseType } from '../../src/iceberg/type-text.ts';
import { describeType, type Type } from '../../src/iceberg/types.ts';

const primitive = fc.constantFrom<Type[]>(
  'int',
  'long',
  'decimal(9,2)',
  'string',
  'timestamptz',
  'fixed[16]',
  'uuid',
);
const { type } = fc.letrec<{ type: Type }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    primitive,
    tie('type').map(
      (element): Type => ({ type: 'list', 'element-id': 0, 'element-required': false, element }),
    ),
    fc.tuple(primitive, tie('type')).map(
      ([key, value]): Type => ({
        type: 'map',
        'key-id': 0,
        key,
        'value-id': 0,
        'value-required': false,
        value,
      }),
    ),
    fc.array(tie('type'), { minLength: 1, maxLength: 3 }).map(
      (types): Type => ({
        type: 'struct',
        fields: types.map((inner, at) => ({ id: 0, name: `f${at}`, required: false, type: inner })),
      }),
    ),
  ),
}));

it('reads what describeType writes', () => {
  fc.assert(
    fc.property(type, (given) => {
      expect(parseType(describeType(given))).toEqual(given);
    }),
  );
});

it.each([
  ['bigintt', null],
  ['strng', 'string'],
  ['decimal(99, 2)', null],
  ['list<int', null],
  ['list<int, int>', null],
  ['map<int>', null],
  ['struct<a>', null],
  ['', null],
  ['lsit<int>', 'list'],
])('refuses %j by name', (text, near) => {
  const hint =
    near === null ? expect.stringContaining('Types are') : expect.stringContaining(`Did you mean ${near}?`);
  expect(() => parseType(text)).toThrow(expect.objectContaining({ kind: 'invalid-argument', hint }));
});
