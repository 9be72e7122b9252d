import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';

describe('JSON of table metadata', () => {
  it('keeps every digit of 64-bit integers', () => {
    const text = '{"x":9223372036854775807,"y":[-9223372036854775808,9007199254740993],"z":1.5}';
    expect(parseJson(text)).toEqual({
      x: 9223372036854775807n,
      y: [-(2n ** 63n), 9007199254740993n],
      z: 1.5,
    });
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('makes snapshot ids bigint however small, and leaves null and text alone', () => {
    const text =
      '{"snapshot-id":1,"parent-snapshot-id":null,"current-snapshot-id":-1,"snapshot-ids":[1,9007199254740993],"schema-id":1,"summary":{"source-snapshot-id":"7"}}';
    expect(parseJson(text)).toEqual({
      'snapshot-id': 1n,
      'parent-snapshot-id': null,
      'current-snapshot-id': -1n,
      'snapshot-ids': [1n, 9007199254740993n],
      'schema-id': 1,
      summary: { 'source-snapshot-id': '7' },
    });
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('round-trips values of any shape, bigints and negative zero among them', () => {
    const big = fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .filter((n) => n !== BigInt.asIntN(53, n));
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true, max: 2 ** 53 - 1, min: -(2 ** 53) + 1 }),
      fc.boolean(),
      fc.constant(null),
      big.filter((n) => n > 2n ** 53n || n < -(2n ** 53n)),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('tree'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(fc.property(tree, (value) => void expect(parseJson(stringifyJson(value))).toEqual(value)));
  });

  it.each([
    ['{\n  "a": 1,\n  "b": [1 2]\n}', 'line 3, column 11'],
    ['{\n  "a": "cut off', 'line 2, column 16'],
    ['{\n  "a": ', 'line 2, column 8'],
    ['', 'line 1, column 1'],
  ])('tells where %j is broken', (text, where) => {
    expect(() => parseJson(text)).toThrow(
      expect.toSatisfy((error: unknown) => isKind(error, 'corrupt') && error.where === where),
    );
  });

  it('quotes what it stumbled over', () => {
    expect(() => parseJson('{"a": 1, "b": oops, "c": [1, 2, 3, 4, 5, 6, 7]}')).toThrow(/oops/);
  });
});
