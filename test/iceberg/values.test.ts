import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import type { PrimitiveValue } from '../../src/iceberg/types.ts';
import {
  compareValues,
  decodeValue,
  encodeValue,
  formatValue,
  parseValue,
  valueFromJson,
  valueToJson,
} from '../../src/iceberg/values.ts';
import { valuesOf } from './arbitrary-values.ts';

const hex = (type: string, value: PrimitiveValue) => Buffer.from(encodeValue(type, value)).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe.each(Object.entries(valuesOf))('%s values', (type, values) => {
  it('come back from their binary form', () => {
    fc.assert(
      fc.property(values, (value) => void expect(decodeValue(type, encodeValue(type, value))).toEqual(value)),
    );
  });

  it('come back from their text', () => {
    fc.assert(
      fc.property(values, (value) => void expect(parseValue(type, formatValue(type, value))).toEqual(value)),
    );
  });

  it('come back from their JSON', () => {
    const finite = values.filter((value) => typeof value !== 'number' || Number.isFinite(value));
    fc.assert(
      fc.property(finite, (value) => {
        const json = parseJson(stringifyJson(valueToJson(type, value)));
        expect(valueFromJson(type, json)).toEqual(value);
      }),
    );
  });

  it('have one order', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const [low, mid, high] = [a, b, c].sort((x, y) => compareValues(type, x, y));
        expect(compareValues(type, a, b)).toBe(-compareValues(type, b, a) + 0);
        expect(compareValues(type, low ?? a, high ?? a)).toBeLessThanOrEqual(0);
        expect(compareValues(type, low ?? a, mid ?? a)).toBeLessThanOrEqual(0);
        expect(compareValues(type, a, a)).toBe(0);
      }),
    );
  });
});

describe('binary form', () => {
  it.each<[string, PrimitiveValue, string]>([
    ['boolean', true, '01'],
    ['int', -2, 'feffffff'],
    ['long', 34n, '2200000000000000'],
    ['float', -4.5, '000090c0'],
    ['double', 6, '0000000000001840'],
    ['date', -1, 'ffffffff'],
    ['string', '🧊', 'f09fa78a'],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'f79c3e09677c4bbda4793f349cb785e7'],
    ['decimal(9,2)', 1420n, '058c'],
    ['decimal(9,2)', 0n, '00'],
    ['decimal(9,2)', 128n, '0080'],
    ['decimal(9,2)', -128n, '80'],
    ['decimal(9,2)', -129n, 'ff7f'],
    ['binary', new Uint8Array(), ''],
  ])('of %s %s is %s', (type, value, expected) => expect(hex(type, value)).toBe(expected));

  it('reads what was written before the column was promoted', () => {
    expect(decodeValue('long', bytes('feffffff'))).toBe(-2n);
    expect(decodeValue('double', bytes('000090c0'))).toBe(-4.5);
    expect(decodeValue('timestamp', bytes('ffffffff'))).toBe(-86_400_000_000n);
    expect(decodeValue('decimal(38,2)', bytes('058c'))).toBe(1420n);
    expect(decodeValue('decimal(9,2)', bytes('0000058c'))).toBe(1420n);
  });

  it('keeps a byte order mark, which is a character of the value', () => {
    expect(decodeValue('string', encodeValue('string', '\ufeffa'))).toBe('\ufeffa');
  });

  it.each([
    ['int', '0000'],
    ['int', '0000000000000000'],
    ['timestamptz', '00000000'],
    ['uuid', '00'],
    ['fixed[5]', '00'],
    ['decimal(9,2)', ''],
    ['boolean', ''],
    ['string', 'ff'],
    ['string', 'f09fa7'],
  ])('of %s is never %s', (type, text) => {
    expect(() => decodeValue(type, bytes(text))).toThrow(
      expect.toSatisfy((error: unknown) => isKind(error, 'corrupt')),
    );
  });

  it.each<[string, PrimitiveValue]>([
    ['int', 2 ** 31],
    ['int', 1.5],
    ['long', 2n ** 63n],
    ['string', '\ud800'],
    ['uuid', 'F79C3E09-677C-4BBD-A479-3F349CB785E7'],
    ['fixed[5]', new Uint8Array(4)],
    ['boolean', 1],
  ])('does not wrap or cut: %s of %s is refused', (type, value) => {
    expect(() => encodeValue(type, value)).toThrow(/is not a value of type/);
  });
});

describe('order', () => {
  it('has NaN highest and -0 below 0', () => {
    const sorted = [Number.NaN, 0, -0, Infinity, -Infinity, 1].sort((a, b) => compareValues('double', a, b));
    expect(sorted).toEqual([-Infinity, -0, 0, 1, Infinity, Number.NaN]);
  });

  it('of strings is that of their UTF-8 bytes, beyond the basic plane too', () => {
    expect(compareValues('string', '\u{10000}', '\uffee')).toBeGreaterThan(0);
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, text, (prefix, a, b) => {
        const expected = Buffer.compare(Buffer.from(prefix + a), Buffer.from(prefix + b));
        expect(Math.sign(compareValues('string', prefix + a, prefix + b))).toBe(expected);
      }),
    );
  });

  it('of bytes is unsigned', () => {
    expect(compareValues('binary', bytes('80'), bytes('7f'))).toBeGreaterThan(0);
    expect(compareValues('binary', bytes(''), bytes('00'))).toBeLessThan(0);
  });

  it('takes an int partition value for a column that is long by now', () => {
    expect(compareValues('long', 5, 6n)).toBeLessThan(0);
    expect(formatValue('long', 5)).toBe('5');
  });
});

describe('text', () => {
  it.each<[string, PrimitiveValue, string]>([
    ['date', 11327, '2001-01-05'],
    ['date', -1, '1969-12-31'],
    ['date', -719529, '-0001-12-31'],
    ['date', 2 ** 31 - 1, '+5881580-07-11'],
    ['timestamp', -1n, '1969-12-31T23:59:59.999999'],
    ['timestamp', 1510871468000000n, '2017-11-16T22:31:08'],
    ['timestamptz', 1510871468000001n, '2017-11-16T22:31:08.000001+00:00'],
    ['timestamp_ns', 1510871468000001001n, '2017-11-16T22:31:08.000001001'],
    ['time', 81068123456n, '22:31:08.123456'],
    ['decimal(9,2)', 1420n, '14.20'],
    ['decimal(9,2)', -5n, '-0.05'],
    ['decimal(9,0)', -5n, '-5'],
    ['decimal(9,-20)', 2n, '2E+20'],
    ['float', Math.fround(0.1), '0.1'],
    ['double', -0, '-0.0'],
    ['binary', Uint8Array.of(0, 1, 2, 255), '000102ff'],
  ])('of %s %s is %s', (type, value, expected) => {
    expect(formatValue(type, value)).toBe(expected);
    expect(parseValue(type, expected)).toEqual(value);
  });

  it('takes what people write', () => {
    expect(parseValue('timestamp', '2001-01-05')).toBe(978652800000000n);
    expect(parseValue('timestamp', '2001-01-05 10:00')).toBe(978688800000000n);
    expect(parseValue('timestamptz', '2017-11-16T14:31:08-08:00')).toBe(1510871468000000n);
    expect(parseValue('timestamptz', '2017-11-16 22:31:08')).toBe(1510871468000000n);
    expect(parseValue('decimal(9,2)', '14.2000')).toBe(1420n);
    expect(parseValue('decimal(9,2)', '+.5')).toBe(50n);
  });

  it.each([
    ['date', '2001-02-29'],
    ['date', '2001-1-5'],
    ['timestamp', '2001-01-05T24:00:00'],
    ['timestamp', '2001-01-05T10:00:00Z'],
    ['timestamp', '2001-01-05T10:00:00.1234567'],
    ['decimal(9,2)', '14.201'],
    ['decimal(9,2)', '10000000.00'],
    ['decimal(9,2)', '12345678901'],
    ['int', '2147483648'],
    ['long', '1.0'],
    ['float', '1e300'],
    ['double', ''],
    ['boolean', 'yes'],
    ['uuid', 'nope'],
    ['binary', '0'],
  ])('of %s is not %s', (type, text) =>
    expect(() => parseValue(type, text)).toThrow(/is not a value of type/),
  );

  it('is strict in JSON, where other readers are', () => {
    expect(() => valueFromJson('timestamptz', '2017-11-16T22:31:08')).toThrow();
    expect(() => valueFromJson('timestamp', '2017-11-16')).toThrow();
    expect(() => valueFromJson('long', '5')).toThrow();
    expect(() => valueToJson('double', Number.NaN)).toThrow(/not a value/);
    expect(valueFromJson('double', 1)).toBe(1);
  });
});
