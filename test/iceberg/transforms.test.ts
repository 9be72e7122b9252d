import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/errors.ts';
import { murmur3 } from '../../src/iceberg/bucket-hash.ts';
import {
  applyTransform,
  canTransform,
  formatTransformed,
  parseTransform,
  preservesOrder,
  timeRange,
  transformResultType,
  transformText,
} from '../../src/iceberg/transforms.ts';
import type { PrimitiveValue, Value } from '../../src/iceberg/types.ts';
import { compareValues, parseValue } from '../../src/iceberg/values.ts';
import { valuesOf } from './arbitrary-values.ts';

const apply = (transform: string, type: string, value: Value): Value =>
  applyTransform(parseTransform(transform), type, value);
const WIDEST = 2 ** 31 - 1;
const HOUR = 3_600_000_000n;

/** What `preservesOrder` leaves out. */
function wrapsAround(transform: string, type: string, value: PrimitiveValue): boolean {
  if (transform === 'hour')
    return (
      typeof value === 'bigint' &&
      !type.endsWith('_ns') &&
      (value / HOUR > 2n ** 31n - 1n || value / HOUR <= -(2n ** 31n))
    );
  if (type === 'int') return transform.startsWith('truncate') && Number(value) < -(2 ** 31) + 1000;
  if (type !== 'long' || typeof value !== 'bigint') return false;
  return transform.startsWith('truncate') && value < -(2n ** 63n) + 1000n;
}

describe('bucket', () => {
  it.each([
    ['int', '34', 2017239379],
    ['long', '34', 2017239379],
    ['decimal(9,2)', '14.20', -500754589],
    ['decimal(38,2)', '14.20', -500754589],
    ['date', '2017-11-16', -653330422],
    ['time', '22:31:08', -662762989],
    ['timestamp', '2017-11-16T22:31:08', -2047944441],
    ['timestamp', '2017-11-16T22:31:08.000001', -1207196810],
    ['timestamptz', '2017-11-16T14:31:08-08:00', -2047944441],
    ['timestamptz', '2017-11-16T14:31:08.000001-08:00', -1207196810],
    ['timestamp_ns', '2017-11-16T22:31:08', -2047944441],
    ['timestamp_ns', '2017-11-16T22:31:08.000001001', -1207196810],
    ['timestamptz_ns', '2017-11-16T14:31:08.000001001-08:00', -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 1488055340],
    ['fixed[4]', '00010203', -188683207],
    ['binary', '00010203', -188683207],
  ])("hashes the spec's %s %s (appendix B)", (type, text, hash) => {
    // With 2^31 - 1 buckets the bucket is the hash without its sign.
    expect(apply(`bucket[${WIDEST}]`, type, parseValue(type, text))).toBe((hash & WIDEST) % WIDEST);
  });

  it('hashes bytes of any length, the tail among them', () => {
    expect(murmur3(Buffer.from('iceberg'))).toBe(1210000089);
    expect(murmur3(new Uint8Array())).toBe(0);
    expect(murmur3(Buffer.from('hello'))).toBe(0x248bfa47);
    expect(murmur3(Buffer.from('The quick brown fox jumps over the lazy dog'))).toBe(0x2e4ff723);
  });

  it('stays in range, and where it was after int became long or a decimal was widened', () => {
    const int = valuesOf['int'] as fc.Arbitrary<number>;
    fc.assert(
      fc.property(int, fc.integer({ min: 1, max: 4096 }), (value, count) => {
        const bucket = apply(`bucket[${count}]`, 'int', value) as number;
        expect(bucket).toBe(apply(`bucket[${count}]`, 'long', BigInt(value)));
        expect(bucket >= 0 && bucket < count).toBe(true);
      }),
    );
  });
});

describe('truncate', () => {
  it.each<[string, string, PrimitiveValue, PrimitiveValue]>([
    ['truncate[10]', 'int', 1, 0],
    ['truncate[10]', 'int', -1, -10],
    ['truncate[10]', 'long', -10n, -10n],
    ['truncate[10]', 'long', -11n, -20n],
    ['truncate[50]', 'decimal(9,2)', 1065n, 1050n],
    ['truncate[10]', 'decimal(9,2)', -1n, -10n],
    ['truncate[3]', 'string', 'iceberg', 'ice'],
    ['truncate[2]', 'string', '🧊🧊🧊', '🧊🧊'],
    ['truncate[3]', 'string', '', ''],
    ['truncate[3]', 'binary', Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(1, 2, 3)],
  ])('%s of %s %s is %s', (transform, type, value, expected) =>
    expect(apply(transform, type, value)).toEqual(expected),
  );

  it('wraps around at the lowest integers as Java does', () => {
    expect(apply('truncate[10]', 'int', -(2 ** 31))).toBe(2147483646);
    expect(apply('truncate[10]', 'long', -(2n ** 63n))).toBe(9223372036854775806n);
  });
});

describe('time transforms', () => {
  it.each([
    ['year', 'date', '2017-12-01', 47, '2017'],
    ['month', 'date', '2017-12-01', 575, '2017-12'],
    ['day', 'date', '2017-12-01', 17501, '2017-12-01'],
    ['year', 'date', '1969-12-31', -1, '1969'],
    ['month', 'date', '1969-12-31', -1, '1969-12'],
    ['day', 'date', '1969-12-31', -1, '1969-12-31'],
    ['month', 'date', '1968-01-01', -24, '1968-01'],
    ['year', 'timestamp', '1969-12-31T23:59:59.999999', -1, '1969'],
    ['month', 'timestamp', '1969-12-31T23:59:59.999999', -1, '1969-12'],
    ['day', 'timestamptz', '1969-12-31T23:59:59.999999', -1, '1969-12-31'],
    ['hour', 'timestamptz', '1969-12-31T23:59:59.999999', -1, '1969-12-31-23'],
    ['hour', 'timestamp', '2001-01-05T13:00:00', 271861, '2001-01-05-13'],
    ['hour', 'timestamp_ns', '1969-12-31T23:59:59.999999999', -1, '1969-12-31-23'],
    ['day', 'timestamp_ns', '2000-02-29T00:00:00', 11016, '2000-02-29'],
    ['year', 'date', '0000-01-01', -1970, '0000'],
    ['month', 'date', '0099-03-01', -22450, '0099-03'],
  ])('%s of %s %s is %s, shown as %s', (transform, type, text, expected, shown) => {
    const value = parseValue(type, text);
    expect(apply(transform, type, value)).toBe(expected);
    expect(formatTransformed(parseTransform(transform), type, expected)).toBe(shown);
  });

  it('put every value into the time range of its partition', () => {
    for (const type of ['date', 'timestamp', 'timestamptz', 'timestamp_ns']) {
      for (const text of ['identity', 'year', 'month', 'day', ...(type === 'date' ? [] : ['hour'])]) {
        const values = (valuesOf[type] ?? fc.constant(0)).filter((value) => !wrapsAround(text, type, value));
        const transform = parseTransform(text);
        fc.assert(
          fc.property(values, (value) => {
            const range = timeRange(transform, type, applyTransform(transform, type, value));
            const own = timeRange(parseTransform('identity'), type, value);
            if (!range || !own) return false;
            return range.startMicros <= own.startMicros && own.endMicros <= range.endMicros;
          }),
          { numRuns: 30 },
        );
      }
    }
  });

  it('tell no time of other partitions', () => {
    expect(timeRange(parseTransform('bucket[4]'), 'date', 1)).toBeNull();
    expect(timeRange(parseTransform('identity'), 'string', '2001-01-05')).toBeNull();
    expect(timeRange(parseTransform('day'), 'date', null)).toBeNull();
    expect(timeRange(parseTransform('day'), 'timestamp', 0)).toEqual({
      startMicros: 0n,
      endMicros: 86_400_000_000n,
    });
    expect(timeRange(parseTransform('month'), 'timestamp', 1)?.endMicros).toBe(59n * 86_400_000_000n);
  });
});

describe('transforms', () => {
  const orderly = ['identity', 'year', 'month', 'day', 'hour', 'truncate[3]', 'truncate[1000]'].flatMap(
    (text) =>
      Object.entries(valuesOf)
        .filter(([type]) => canTransform(parseTransform(text), type))
        .map(([type, values]) => ({ text, type, values })),
  );

  it.each(orderly)('$text keeps the order of $type', ({ text, type, values }) => {
    const transform = parseTransform(text);
    expect(preservesOrder(transform)).toBe(true);
    const resultType = transformResultType(transform, type);
    const safe = values.filter((value) => !wrapsAround(text, type, value));
    fc.assert(
      fc.property(safe, safe, (a, b) => {
        const [low, high] = compareValues(type, a, b) <= 0 ? [a, b] : [b, a];
        const [from, to] = [applyTransform(transform, type, low), applyTransform(transform, type, high)];
        return from !== null && to !== null && compareValues(resultType, from, to) <= 0;
      }),
      { numRuns: 50 },
    );
  });

  it('give null for null, and void gives nothing else', () => {
    expect(apply('bucket[4]', 'int', null)).toBeNull();
    expect(apply('day', 'date', null)).toBeNull();
    expect(apply('void', 'int', 5)).toBeNull();
    expect(formatTransformed(parseTransform('day'), 'date', null)).toBe('null');
  });

  it('are read as any engine writes them and written as the spec has them', () => {
    expect(transformText(parseTransform('Bucket[ 16 ]'))).toBe('bucket[16]');
    expect(transformText(parseTransform('DAY'))).toBe('day');
    expect(parseTransform('zorder[a,b]')).toEqual({ kind: 'unknown', text: 'zorder[a,b]' });
    expect(() => parseTransform('bucket[0]')).toThrow(/1 to 2147483647/);
  });

  it('refuse what they do not take, before any wrong partition is written', () => {
    expect(() => apply('hour', 'date', 1)).toThrow(/hour does not take date/);
    expect(() => apply('bucket[4]', 'double', 1)).toThrow(/does not take/);
    expect(() => apply('truncate[4]', 'uuid', 'x')).toThrow(/does not take/);
    expect(() => apply('zorder', 'int', 1)).toThrow(
      expect.toSatisfy((error: unknown) => isKind(error, 'unsupported')),
    );
  });
});
