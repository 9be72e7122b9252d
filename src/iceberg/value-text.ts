import { LakeError } from '../errors.ts';
import {
  formatDate,
  formatTime,
  formatTimestamp,
  parseDate,
  parseTime,
  parseTimestamp,
} from './time-text.ts';
import {
  decimalParameters,
  describeType,
  type PrimitiveKind,
  type PrimitiveValue,
  primitiveKind,
  type Type,
} from './types.ts';
import {
  expectBigint,
  expectBoolean,
  expectBytes,
  expectNumber,
  expectText,
  mismatch,
} from './value-kinds.ts';

interface TextCodec {
  format(value: PrimitiveValue, type: Type): string;
  /** `strict` for the spec's JSON form, which leaves out none of what a person may. */
  parse(text: string, type: Type, strict: boolean): PrimitiveValue | null;
}

/**
 * A value for people and paths: `2001-01-05`, `2001-01-05T10:00:00`, `14.20`, bytes in hexadecimal.
 *
 * @throws LakeError('invalid-argument') if the value is not one of the type.
 */
export function formatValue(type: Type, value: PrimitiveValue): string {
  return codecs[primitiveKind(type)].format(value, type);
}

/**
 * Reads what people write for a value of the type; `formatValue`'s text among it. A date alone is its
 * midnight for a timestamp, and a timestamptz without an offset is at UTC.
 *
 * @throws LakeError('invalid-argument') if the text is no value of the type.
 */
export function parseValue(type: Type, text: string): PrimitiveValue {
  return codecs[primitiveKind(type)].parse(text, type, false) ?? noValue(type, text);
}

/**
 * The spec's JSON form of a single value (appendix D), as defaults of columns have it.
 *
 * @throws LakeError('invalid-argument') for NaN and infinities, which JSON has no number for.
 */
export function valueToJson(type: Type, value: PrimitiveValue): boolean | number | bigint | string {
  const kind = primitiveKind(type);
  if (kind === 'boolean') return expectBoolean(type, value);
  if (kind === 'int') return expectNumber(type, value);
  if (kind === 'long') return narrow(expectBigint(type, value));
  if (kind !== 'float' && kind !== 'double') return formatValue(type, value);
  const number = expectNumber(type, value);
  return Number.isFinite(number) ? Number(formatValue(type, value)) : mismatch(type, value);
}

/**
 * Reads the spec's JSON form of a single value.
 *
 * @param json as `parseJson` gives it: 64-bit integers may be bigint.
 * @throws LakeError('invalid-argument') if it is no value of the type.
 */
export function valueFromJson(type: Type, json: unknown): PrimitiveValue {
  const kind = primitiveKind(type);
  if (kind === 'boolean') return typeof json === 'boolean' ? json : noValue(type, json);
  if (kind === 'float' || kind === 'double') {
    if (typeof json !== 'number' && typeof json !== 'bigint') return noValue(type, json);
    return kind === 'float' ? Math.fround(Number(json)) : Number(json);
  }
  if (kind === 'int') return expectNumber(type, typeof json === 'number' ? json : noValue(type, json));
  if (kind === 'long') {
    return expectBigint(
      type,
      typeof json === 'number' || typeof json === 'bigint' ? json : noValue(type, json),
    );
  }
  if (typeof json !== 'string') return noValue(type, json);
  return codecs[kind].parse(json, type, true) ?? noValue(type, json);
}

const text: TextCodec = {
  format: (value, type) => expectText(type, value),
  parse: (value, type) => expectText(type, value),
};

const hex: TextCodec = {
  format: (value, type) => Buffer.from(expectBytes(type, value)).toString('hex'),
  parse: (value, type) => {
    if (!/^([0-9a-f]{2})*$/i.test(value)) return null;
    return expectBytes(type, Uint8Array.from(Buffer.from(value, 'hex')));
  },
};

const integers: TextCodec = {
  format: (value, type) => expectNumber(type, value).toString(),
  parse: (value, type) => (/^[+-]?\d+$/.test(value) ? expectNumber(type, Number(value) + 0) : null),
};

const longs: TextCodec = {
  format: (value, type) => expectBigint(type, value).toString(),
  parse: (value, type) =>
    /^[+-]?\d+$/.test(value) ? expectBigint(type, BigInt(value.replace('+', ''))) : null,
};

const noText: TextCodec = { format: (_, type) => refuse(type), parse: (_, type) => refuse(type) };

const codecs: Record<PrimitiveKind, TextCodec> = {
  unknown: noText,
  variant: noText,
  boolean: {
    format: (value, type) => expectBoolean(type, value).toString(),
    parse: (value) => (/^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : null),
  },
  int: integers,
  long: longs,
  float: floatingPoint(shortestFloat, Math.fround),
  double: floatingPoint(signedText, (value) => value),
  decimal: { format: formatDecimal, parse: parseDecimal },
  date: {
    format: (value, type) => formatDate(expectNumber(type, value)),
    parse: (value, type) => inRange(parseDate(value), (days) => expectNumber(type, days)),
  },
  time: {
    format: (value, type) => formatTime(expectBigint(type, value)),
    parse: (value) => parseTime(value, 6),
  },
  timestamp: timestamps(6, false),
  timestamptz: timestamps(6, true),
  timestamp_ns: timestamps(9, false),
  timestamptz_ns: timestamps(9, true),
  string: text,
  uuid: { format: text.format, parse: (value, type) => expectText(type, value.toLowerCase()) },
  fixed: hex,
  binary: hex,
  geometry: hex,
  geography: hex,
};

function timestamps(digits: 6 | 9, zoned: boolean): TextCodec {
  const ticksPerMinute = 60n * 10n ** BigInt(digits);
  return {
    format: (value, type) => formatTimestamp(expectBigint(type, value), digits) + (zoned ? '+00:00' : ''),
    parse: (value, type, strict) => {
      const parsed = parseTimestamp(value, digits);
      if (!parsed || (!zoned && parsed.offsetMinutes !== null)) return null;
      if (strict && (!parsed.hasTime || (zoned && parsed.offsetMinutes === null))) return null;
      return expectBigint(type, parsed.ticks - BigInt(parsed.offsetMinutes ?? 0) * ticksPerMinute);
    },
  };
}

function floatingPoint(format: (value: number) => string, round: (value: number) => number): TextCodec {
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  return {
    format: (value, type) => format(expectNumber(type, value)),
    parse: (value) => {
      if (/^nan$/i.test(value)) return Number.NaN;
      if (/^[+-]?infinity$/i.test(value)) return value.startsWith('-') ? -Infinity : Infinity;
      const rounded = number.test(value) ? round(Number(value)) : null;
      return rounded === null || Number.isFinite(rounded) ? rounded : null;
    },
  };
}

/** The fewest digits that give back the same 32-bit float: 0.1, not 0.10000000149011612. */
function shortestFloat(value: number): string {
  if (value === 0) return signedText(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return signedText(short);
  }
  return signedText(Number.isFinite(value) ? Number(value.toPrecision(9)) : value);
}

function signedText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : value.toString();
}

function formatDecimal(value: PrimitiveValue, type: Type): string {
  const unscaled = expectBigint(type, value);
  const scale = decimalParameters(type)?.scale ?? 0;
  if (scale < 0) return `${unscaled}E+${-scale}`;
  if (scale === 0) return unscaled.toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Digits beyond the scale are allowed where they are zeros: no digit is dropped silently. */
function parseDecimal(value: string, type: Type): bigint | null {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(value);
  const digits = `${match?.[2] ?? ''}${match?.[3] ?? ''}`;
  if (!match || digits === '') return null;
  const { precision, scale } = decimalParameters(type) ?? { precision: 0, scale: 0 };
  const shift = scale - (match[3] ?? '').length + Number(match[4] ?? 0);
  const factor = 10n ** BigInt(Math.abs(shift));
  const magnitude = BigInt(digits);
  if (shift < 0 && magnitude % factor !== 0n) return null;
  const unscaled = shift < 0 ? magnitude / factor : magnitude * factor;
  if (unscaled >= 10n ** BigInt(precision)) return null;
  return match[1] === '-' ? -unscaled : unscaled;
}

function inRange<T>(parsed: T | null, check: (value: T) => T): T | null {
  return parsed === null ? null : check(parsed);
}

function narrow(value: bigint): number | bigint {
  return BigInt.asIntN(53, value) === value ? Number(value) : value;
}

function noValue(type: Type, given: unknown): never {
  throw new LakeError('invalid-argument', `${String(given)} is not a value of type ${describeType(type)}`, {
    hint: examples[primitiveKind(type)],
  });
}

function refuse(type: Type): never {
  throw new LakeError('unsupported', `values of type ${describeType(type)} have no text form`);
}

const examples: Record<PrimitiveKind, string> = {
  unknown: 'only null is',
  variant: 'only null is',
  boolean: 'write true or false',
  int: 'write an integer from -2147483648 to 2147483647',
  long: 'write a 64-bit integer',
  float: 'write a number, NaN or Infinity',
  double: 'write a number, NaN or Infinity',
  decimal: 'write digits that fit its precision and scale, such as 14.20',
  date: 'write a date such as 2001-01-05',
  time: 'write a time such as 22:31:08.123456',
  timestamp: 'write a time without a zone, such as 2001-01-05T22:31:08.123456',
  timestamptz: 'write a time with its offset, such as 2001-01-05T22:31:08.123456+00:00',
  timestamp_ns: 'write a time without a zone, such as 2001-01-05T22:31:08.123456789',
  timestamptz_ns: 'write a time with its offset, such as 2001-01-05T22:31:08.123456789+00:00',
  string: 'write text in valid Unicode',
  uuid: 'write a uuid such as f79c3e09-677c-4bbd-a479-3f349cb785e7',
  fixed: 'write its bytes in hexadecimal, such as 000102ff',
  binary: 'write bytes in hexadecimal, such as 000102ff',
  geometry: 'write well-known binary in hexadecimal',
  geography: 'write well-known binary in hexadecimal',
};
