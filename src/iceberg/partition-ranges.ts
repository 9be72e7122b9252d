import { isKind } from '../errors.ts';
import { firstCharacters, nextBytes, nextText } from './metrics.ts';
import { floorDiv, MICROS_PER_DAY } from './time-text.ts';
import { applyTransform, type Transform, timeRange } from './transforms.ts';
import { type PrimitiveKind, type PrimitiveValue, primitiveKind, type Type, type Value } from './types.ts';
import { expectBigint } from './value-kinds.ts';

/** The values of a column that have a certain partition value lie in here; no bound where none is known. */
export interface SourceRange {
  readonly lower?: PrimitiveValue;
  readonly upper?: PrimitiveValue;
}

const BIGINT_KINDS: readonly PrimitiveKind[] = [
  'long',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'decimal',
];

/**
 * The column values that a partition value stands for. Null if it tells nothing, nor any other value of the same
 * field about its range.
 */
export function sourceRange(transform: Transform, type: Type, value: PrimitiveValue): SourceRange | null {
  switch (transform.kind) {
    case 'identity': {
      const exact = normalized(type, value);
      return exact === null ? null : { lower: exact, upper: exact };
    }
    case 'truncate':
      return truncateRange(type, value, transform.width);
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
      return typeof value === 'number' ? timeBounds(transform, type, value) : null;
    default:
      return {};
  }
}

/** False if `value` belongs to none of the buckets from `lower` to `upper`; null is no bound. */
export function mayHoldValue(
  transform: Transform,
  type: Type,
  value: PrimitiveValue,
  lower: Value,
  upper: Value,
): boolean {
  const bucket = applyTransform(transform, type, value);
  if (typeof bucket !== 'number') return true;
  return !(typeof lower === 'number' && bucket < lower) && !(typeof upper === 'number' && bucket > upper);
}

/** A value written before its column was promoted, as one of the promoted type; null if it is none. */
function normalized(type: Type, value: PrimitiveValue): PrimitiveValue | null {
  if (!BIGINT_KINDS.includes(primitiveKind(type))) return value;
  try {
    return expectBigint(type, value);
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return null;
    throw error;
  }
}

/** Hours beyond the year 190,000 may have wrapped around 32 bits, and cannot be told from those before our time. */
const MAX_UNIT = 1_700_000_000;

/**
 * The time span of a partition value. Old writers rounded times before 1970 up to the next unit, so that a unit up to
 * 1970 may hold rows of the one before.
 */
function timeBounds(transform: Transform, type: Type, value: number): SourceRange | null {
  if (Math.abs(value) > MAX_UNIT) return null;
  const first = timeRange(transform, type, value <= 0 ? value - 1 : value);
  const last = timeRange(transform, type, value);
  if (first === null || last === null) return null;
  const [start, end] = [first.startMicros, last.endMicros];
  switch (primitiveKind(type)) {
    case 'date':
      return dateRange(floorDiv(start, MICROS_PER_DAY), floorDiv(end - 1n, MICROS_PER_DAY));
    case 'timestamp':
    case 'timestamptz':
      return withinType(type, start, end - 1n);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return withinType(type, start * 1000n, end * 1000n - 1n);
    default:
      return null;
  }
}

function truncateRange(type: Type, value: PrimitiveValue, width: number): SourceRange | null {
  if (typeof value === 'string') return textRange(value, width);
  if (value instanceof Uint8Array) return bytesRange(value, width);
  if (type === 'int' && typeof value === 'number') {
    const upper = value + width - 1;
    // The lowest integers wrap around when truncated, and cannot be told from the highest ones.
    return upper < 2 ** 31 ? { lower: value, upper } : null;
  }
  const lower = normalized(type, value);
  if (typeof lower !== 'bigint') return null;
  const upper = lower + BigInt(width) - 1n;
  if (type === 'long') return upper < 2n ** 63n ? { lower, upper } : null;
  return withinType(type, lower, upper);
}

/** The ends of a partition's range may lie outside the type; no value of the column does. */
function withinType(type: Type, lower: bigint, upper: bigint): SourceRange {
  return {
    ...(normalized(type, lower) === null ? {} : { lower }),
    ...(normalized(type, upper) === null ? {} : { upper }),
  };
}

/** A text shorter than the width was not cut. */
function textRange(value: string, width: number): SourceRange {
  const characters = firstCharacters(value, width);
  if (characters.length < width) return { lower: value, upper: value };
  const upper = nextText(characters);
  return upper === null ? { lower: value } : { lower: value, upper };
}

function bytesRange(value: Uint8Array, width: number): SourceRange {
  if (value.length < width) return { lower: value, upper: value };
  const upper = nextBytes(value);
  return upper === null ? { lower: value } : { lower: value, upper };
}

function dateRange(first: bigint, last: bigint): SourceRange {
  const fits = (days: bigint): boolean => BigInt.asIntN(32, days) === days;
  return { ...(fits(first) ? { lower: Number(first) } : {}), ...(fits(last) ? { upper: Number(last) } : {}) };
}
