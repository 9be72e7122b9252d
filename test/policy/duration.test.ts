import { expect, test } from 'vitest';
import { addDuration, parseDuration } from '../../src/policy/duration.ts';

const at = (text: string) => Date.parse(text);
const plus = (start: string, duration: string) =>
  new Date(addDuration(at(start), parseDuration(duration))).toISOString();

test('months are calendar months, cut to the last day that the month has', () => {
  expect(plus('2024-01-31T10:00:00Z', '1mo')).toBe('2024-02-29T10:00:00.000Z');
  expect(plus('2023-10-31T00:00:00Z', '4mo')).toBe('2024-02-29T00:00:00.000Z');
  expect(plus('1969-12-31T23:00:00Z', '2mo')).toBe('1970-02-28T23:00:00.000Z');
  expect(plus('2001-02-01T00:00:00Z', '6mo')).toBe('2001-08-01T00:00:00.000Z');
});

test('every spelling of a span', () => {
  expect(parseDuration('24h')).toEqual(parseDuration('P1D'));
  expect(parseDuration('2w')).toEqual(parseDuration('14d'));
  expect(parseDuration('1y')).toEqual(parseDuration('P12M'));
  expect(parseDuration('PT90M').ms).toBe(5_400_000);
  expect(parseDuration('0s')).toEqual({ months: 0, ms: 0 });
});

test.each(['6m', '30', 'd', '-1d', '1.5d', 'P', 'PT', '30 days', '', '99999999999y'])(
  'refuses "%s"',
  (text) => {
    expect(() => parseDuration(text)).toThrow(/no duration|10,000 years/);
  },
);
