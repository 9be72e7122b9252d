import { LakeError } from '../errors.ts';
import { murmur3 } from './bucket-hash.ts';
import {
  civilFromDays,
  daysFromCivil,
  floorDiv,
  formatDate,
  formatYear,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
} from './time-text.ts';
import {
  decimalParameters,
  describeType,
  isPrimitive,
  type PrimitiveKind,
  type PrimitiveValue,
  primitiveKind,
  type Type,
  type Value,
} from './types.ts';
import { encodeValue, minimalBigEndian, uuidBytes } from './value-binary.ts';
import { expectBigint, expectBytes, expectNumber, expectText } from './value-kinds.ts';
import { formatValue } from './value-text.ts';

/** A partition or sort transform (spec: "Partition Transforms"). */
export type Transform =
  | { readonly kind: 'identity' | 'void' | 'year' | 'month' | 'day' | 'hour' }
  | { readonly kind: 'bucket'; readonly numBuckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  /** One of a newer spec: readable by ignoring it, never written. */
  | { readonly kind: 'unknown'; readonly text: string };

type TransformKind = Transform['kind'];

const MAX_PARAMETER = 2 ** 31 - 1;
const DATE_KINDS: readonly PrimitiveKind[] = [
  'date',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
];
const TIMESTAMP_KINDS = DATE_KINDS.slice(1);
const TRUNCATE_KINDS: readonly PrimitiveKind[] = ['int', 'long', 'decimal', 'string', 'binary'];
const BUCKET_KINDS: readonly PrimitiveKind[] = [...TRUNCATE_KINDS, ...DATE_KINDS, 'time', 'uuid', 'fixed'];
const NO_IDENTITY: readonly PrimitiveKind[] = ['geometry', 'geography', 'variant', 'unknown'];

const sourceCheck: Record<TransformKind, (kind: PrimitiveKind) => boolean> = {
  identity: (kind) => !NO_IDENTITY.includes(kind),
  void: () => true,
  year: (kind) => DATE_KINDS.includes(kind),
  month: (kind) => DATE_KINDS.includes(kind),
  day: (kind) => DATE_KINDS.includes(kind),
  hour: (kind) => TIMESTAMP_KINDS.includes(kind),
  bucket: (kind) => BUCKET_KINDS.includes(kind),
  truncate: (kind) => TRUNCATE_KINDS.includes(kind),
  unknown: () => false,
};

/**
 * Reads a transform's text, such as `day` or `bucket[16]`; case does not matter. What this version does not
 * know becomes `unknown` with its text.
 *
 * @throws LakeError('invalid-argument') for a bucket count or width that is not 1 to 2^31 - 1.
 */
export function parseTransform(text: string): Transform {
  const lower = text.trim().toLowerCase();
  switch (lower) {
    case 'identity':
    case 'void':
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
      return { kind: lower };
  }
  const match = /^(bucket|truncate)\[\s*(\d+)\s*\]$/.exec(lower);
  if (!match) return { kind: 'unknown', text };
  const parameter = Number(match[2]);
  if (parameter < 1 || parameter > MAX_PARAMETER) {
    throw new LakeError('invalid-argument', `transform ${text}: its number is 1 to ${MAX_PARAMETER}`);
  }
  return match[1] === 'bucket'
    ? { kind: 'bucket', numBuckets: parameter }
    : { kind: 'truncate', width: parameter };
}

/** The transform as partition specs and sort orders have it in JSON. */
export function transformText(transform: Transform): string {
  if (transform.kind === 'bucket') return `bucket[${transform.numBuckets}]`;
  if (transform.kind === 'truncate') return `truncate[${transform.width}]`;
  return transform.kind === 'unknown' ? transform.text : transform.kind;
}

/** True if the transform takes columns of this type (spec: "Partition Transforms"); false for unknown ones. */
export function canTransform(transform: Transform, sourceType: Type): boolean {
  return isPrimitive(sourceType) && sourceCheck[transform.kind](primitiveKind(sourceType));
}

/**
 * True if a <= b implies transform(a) <= transform(b), so that ranges of the column are ranges of the
 * partition. Two edges wrap around as in Java, so that all engines agree on the partition: integers within a
 * truncation's width of their type's lowest value, and hours beyond 32 bits (245,000 years from 1970).
 */
export function preservesOrder(transform: Transform): boolean {
  return !['bucket', 'void', 'unknown'].includes(transform.kind);
}

/** The type of the transform's results; string for unknown ones, whose values can only be carried along. */
export function transformResultType(transform: Transform, sourceType: Type): Type {
  switch (transform.kind) {
    case 'bucket':
    case 'year':
    case 'month':
    case 'hour':
      return 'int';
    case 'day':
      return 'date';
    case 'unknown':
      return 'string';
    case 'identity':
    case 'truncate':
    case 'void':
      return sourceType;
  }
}

/**
 * The partition value of a column's value; null for null.
 *
 * @throws LakeError('unsupported') for unknown transforms.
 * @throws LakeError('invalid-argument') if the transform does not take the type, or the value is not of it.
 */
export function applyTransform(transform: Transform, sourceType: Type, value: Value): Value {
  if (transform.kind === 'unknown') {
    throw new LakeError('unsupported', `this version cannot write with the transform ${transform.text}`, {
      hint: 'write with the engine that made the partition spec, or set a spec with known transforms',
    });
  }
  if (!canTransform(transform, sourceType)) {
    throw new LakeError(
      'invalid-argument',
      `${transformText(transform)} does not take ${describeType(sourceType)}`,
    );
  }
  if (value === null || transform.kind === 'void') return null;
  switch (transform.kind) {
    case 'identity':
      return value;
    case 'bucket':
      return (bucketHash(sourceType, value) & MAX_PARAMETER) % transform.numBuckets;
    case 'truncate':
      return truncate(sourceType, value, transform.width);
    case 'hour':
      return Number(floorDiv(microsOf(sourceType, value), MICROS_PER_HOUR)) | 0;
    case 'day':
    case 'month':
    case 'year':
      return unitsOfDays[transform.kind](daysOf(sourceType, value));
  }
}

/**
 * A partition value for people: year `2001`, month `2001-03`, day `2001-01-05`, hour `2001-01-05-13`, others
 * as their column's values; `null` for null.
 */
export function formatTransformed(transform: Transform, sourceType: Type, value: Value): string {
  if (value === null) return 'null';
  switch (transform.kind) {
    case 'year':
      return formatYear(1970 + expectNumber('int', value));
    case 'month':
      return formatDate(firstDay.month(expectNumber('int', value))).slice(0, -3);
    case 'day':
      return formatDate(expectNumber('date', value));
    case 'hour':
      return formatHour(expectNumber('int', value));
    case 'bucket':
      return String(value);
    case 'unknown':
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
    case 'identity':
    case 'truncate':
    case 'void':
      return formatValue(sourceType, value);
  }
}

/** A span of time in microseconds since 1970-01-01T00:00:00 (UTC for types with a zone). */
export interface TimeRange {
  readonly startMicros: bigint;
  /** Exclusive. */
  readonly endMicros: bigint;
}

/**
 * The span that the rows of a partition value lie in: year, month, day, hour, and identity on dates and
 * timestamps. Null for null and for values that tell no time.
 */
export function timeRange(transform: Transform, sourceType: Type, value: Value): TimeRange | null {
  if (value === null) return null;
  switch (transform.kind) {
    case 'year':
    case 'month':
    case 'day': {
      const unit = expectNumber('int', value);
      const first = firstDay[transform.kind];
      return { startMicros: dayMicros(first(unit)), endMicros: dayMicros(first(unit + 1)) };
    }
    case 'hour': {
      const startMicros = BigInt(expectNumber('int', value)) * MICROS_PER_HOUR;
      return { startMicros, endMicros: startMicros + MICROS_PER_HOUR };
    }
    case 'identity':
      return identityRange(sourceType, value);
    default:
      return null;
  }
}

const unitsOfDays = {
  day: (days: number): number => days,
  month: (days: number): number => {
    const { year, month } = civilFromDays(days);
    return (year - 1970) * 12 + month - 1;
  },
  year: (days: number): number => civilFromDays(days).year - 1970,
};

const firstDay = {
  day: (days: number): number => days,
  month: (months: number): number => daysFromCivil(1970 + Math.floor(months / 12), 1 + modulo(months, 12), 1),
  year: (years: number): number => daysFromCivil(1970 + years, 1, 1),
};

function identityRange(sourceType: Type, value: PrimitiveValue): TimeRange | null {
  if (!isPrimitive(sourceType) || !DATE_KINDS.includes(primitiveKind(sourceType))) return null;
  const startMicros = microsOf(sourceType, value);
  return { startMicros, endMicros: startMicros + (sourceType === 'date' ? MICROS_PER_DAY : 1n) };
}

function dayMicros(days: number): bigint {
  return BigInt(days) * MICROS_PER_DAY;
}

/** Microseconds since 1970 of a date or timestamp; nanoseconds are rounded down. */
function microsOf(type: Type, value: PrimitiveValue): bigint {
  if (type === 'date') return dayMicros(expectNumber(type, value));
  const ticks = expectBigint(type, value);
  return type === 'timestamp_ns' || type === 'timestamptz_ns' ? floorDiv(ticks, 1000n) : ticks;
}

function daysOf(type: Type, value: PrimitiveValue): number {
  return type === 'date'
    ? expectNumber(type, value)
    : Number(floorDiv(microsOf(type, value), MICROS_PER_DAY));
}

/** The hash before its sign is dropped (spec: appendix B); int and date hash as long does. */
function bucketHash(type: Type, value: PrimitiveValue): number {
  switch (primitiveKind(type)) {
    case 'string':
      return murmur3(Buffer.from(expectText(type, value), 'utf8'));
    case 'uuid':
      return murmur3(uuidBytes(expectText(type, value)));
    case 'decimal':
      return murmur3(minimalBigEndian(expectBigint(type, value)));
    case 'fixed':
    case 'binary':
      return murmur3(expectBytes(type, value));
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return murmur3(encodeValue('long', microsOf(type, value)));
    case 'int':
    case 'date':
      return murmur3(encodeValue('long', BigInt(expectNumber(type, value))));
    default:
      return murmur3(encodeValue('long', expectBigint(type, value)));
  }
}

function truncate(type: Type, value: PrimitiveValue, width: number): PrimitiveValue {
  if (type === 'string') return firstCodePoints(expectText(type, value), width);
  if (type === 'binary') return expectBytes(type, value).slice(0, width);
  if (type === 'int') {
    const number = expectNumber(type, value);
    return (number - modulo(number, width)) | 0;
  }
  const unscaled = expectBigint(type, value);
  const lower = floorDiv(unscaled, BigInt(width)) * BigInt(width);
  return decimalParameters(type) ? lower : BigInt.asIntN(64, lower);
}

function firstCodePoints(text: string, count: number): string {
  let end = 0;
  for (let taken = 0; taken < count && end < text.length; taken++) {
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(0, end);
}

function formatHour(hours: number): string {
  const hour = modulo(hours, 24).toString().padStart(2, '0');
  return `${formatDate(Math.floor(hours / 24))}-${hour}`;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
