import type { JsonValue } from '../../src/engine/row-values.ts';
import { daysFromCivil } from '../../src/iceberg/time-text.ts';
import { isList, isMap, isStruct, type PrimitiveValue, type Type } from '../../src/iceberg/types.ts';

/**
 * A value as text that loses nothing and that does not hang on how an engine writes it: integers, dates (days), times and timestamps (microseconds) and decimals as
 * digits; floats as the bits of a double, or NaN; binary and fixed as hex; a map as sorted pairs.
 */
export type Exact = null | boolean | string | readonly Exact[] | { readonly [name: string]: Exact };

const MICROS_PER_DAY = 86_400_000_000n;

/** A value of `lake sql --output json`, exactly. */
export function exactValue(type: Type, value: JsonValue): Exact {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof type !== 'string') return exactNested(type, value);
  const text = String(value);
  if (type.startsWith('decimal')) return withScale(text, Number(/,\s*(\d+)/.exec(type)?.[1]));
  if (type.startsWith('fixed') || type === 'binary') return Buffer.from(text, 'base64').toString('hex');
  if (type === 'float') return bits(Math.fround(Number(value)));
  if (type === 'double') return bits(Number(value));
  if (type === 'date') return String(days(text));
  if (type === 'time') return String(micros(text));
  if (type.startsWith('timestamp')) return String(timestamp(text));
  return text;
}

function exactNested(type: Exclude<Type, string>, value: JsonValue): Exact {
  if (Array.isArray(value) && isList(type)) return value.map((one) => exactValue(type.element, one));
  const entries = Object.entries(value ?? {});
  if (isMap(type))
    return entries
      .map(([key, one]): Exact => [exactValue(type.key, key), exactValue(type.value, one)])
      .sort((a, b) => (String(a) < String(b) ? -1 : 1));
  const types = new Map(isStruct(type) ? type.fields.map((field) => [field.name, field.type]) : []);
  return Object.fromEntries(
    entries.map(([name, one]) => [name, exactValue(types.get(name) ?? 'string', one)]),
  );
}

/** The bits of a double. */
function bits(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

/** `1.5` as `1.50`, `-1e-10` as `-0.0000000001`. */
function withScale(text: string, scale: number): string {
  if (text.includes('e')) return Number(text).toFixed(scale);
  const [whole = '', fraction = ''] = text.split('.');
  return scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, '0')}`;
}

/** Of DuckDB's `0045-03-15 (BC)` too. */
function days(text: string): number {
  const [, year, month, day, era] = /^(\d+)-(\d\d)-(\d\d)( \(BC\))?/.exec(text) ?? [];
  return daysFromCivil(era === undefined ? Number(year) : 1 - Number(year), Number(month), Number(day));
}

function micros(text: string): bigint {
  const [, hour, minute, second, fraction = ''] = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z?$/.exec(text) ?? [];
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

/** `2024-02-29 12:00:00.1`, `0044-03-15 (BC) 01:02:03`. */
function timestamp(text: string): bigint {
  const at = text.lastIndexOf(' ');
  return BigInt(days(text.slice(0, at))) * MICROS_PER_DAY + micros(text.slice(at + 1));
}

/** An exact value of a primitive type as filters of scans have it. */
export function primitiveValue(type: Type, value: Exact): PrimitiveValue {
  if (typeof value === 'boolean') return value;
  const text = String(value);
  if (type === 'string' || type === 'uuid') return text;
  if (type === 'float' || type === 'double')
    return text === 'NaN' ? Number.NaN : Buffer.from(text, 'hex').readDoubleBE();
  if (type === 'int' || type === 'date') return Number(text);
  if (type === 'binary' || String(type).startsWith('fixed')) return Buffer.from(text, 'hex');
  return BigInt(text.replace('.', ''));
}
