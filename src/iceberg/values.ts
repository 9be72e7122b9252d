import type { PrimitiveKind, PrimitiveValue, Type } from './types.ts';
import { primitiveKind } from './types.ts';
import { expectBigint, expectBoolean, expectBytes, expectNumber, expectText } from './value-kinds.ts';

export { decodeValue, encodeValue } from './value-binary.ts';
export { formatValue, parseValue, valueFromJson, valueToJson } from './value-text.ts';

type Comparator = (a: PrimitiveValue, b: PrimitiveValue, type: Type) => number;

/**
 * Orders two values of a type: less than, equal to or greater than zero. NaN is the highest number and equal
 * to itself, -0 is below 0, bytes are unsigned, and strings and uuids are ordered by their bytes (strings by
 * code point, not by UTF-16 unit).
 *
 * @throws LakeError('invalid-argument') if a value is not one of the type.
 */
export function compareValues(type: Type, a: PrimitiveValue, b: PrimitiveValue): number {
  return comparators[primitiveKind(type)](a, b, type);
}

const byNumber: Comparator = (a, b, type) => compareNumbers(expectNumber(type, a), expectNumber(type, b));
const byText: Comparator = (a, b, type) => compareText(expectText(type, a), expectText(type, b));
const byBytes: Comparator = (a, b, type) => Buffer.compare(expectBytes(type, a), expectBytes(type, b));
const byBigint: Comparator = (a, b, type) => {
  const [left, right] = [expectBigint(type, a), expectBigint(type, b)];
  return left < right ? -1 : Number(left > right);
};

const comparators: Record<PrimitiveKind, Comparator> = {
  unknown: () => 0,
  variant: byBytes,
  boolean: (a, b, type) => Number(expectBoolean(type, a)) - Number(expectBoolean(type, b)),
  int: byNumber,
  date: byNumber,
  float: byNumber,
  double: byNumber,
  long: byBigint,
  time: byBigint,
  timestamp: byBigint,
  timestamptz: byBigint,
  timestamp_ns: byBigint,
  timestamptz_ns: byBigint,
  decimal: byBigint,
  string: byText,
  uuid: byText,
  fixed: byBytes,
  binary: byBytes,
  geometry: byBytes,
  geography: byBytes,
};

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return a === 0 ? compareZeros(a, b) : 0;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function compareZeros(a: number, b: number): number {
  return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
}

function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF, but lie below U+E000 to U+FFFF as UTF-16 units. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
