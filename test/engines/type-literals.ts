import { duckDbType } from '../../src/engine/duckdb-types.ts';
import { decimalJson, floatJson, integerJson, type JsonValue } from '../../src/engine/row-values.ts';
import { quoteName } from '../../src/engine/sql-text.ts';
import { isList, isMap, isStruct, type Type } from '../../src/iceberg/types.ts';

/**
 * A value of a test: a primitive by its text as the embedded engine writes it (`0044-03-15 (BC)`, `-0.0`, `NaN`), strings as they are, bytes in hex, a list as an array, a map as
 * a Map, a struct as an object.
 */
export type TestValue =
  | string
  | null
  | readonly TestValue[]
  | ReadonlyMap<string, TestValue>
  | { readonly [field: string]: TestValue };

const TRINO_NAMES: Readonly<Record<string, string>> = {
  int: 'integer',
  long: 'bigint',
  float: 'real',
  time: 'time(6)',
  timestamp: 'timestamp(6)',
  timestamptz: 'timestamp(6) with time zone',
  string: 'varchar',
  binary: 'varbinary',
};

/** Trino's name of an Iceberg type. */
export function trinoType(type: Type): string {
  if (isStruct(type))
    return `row(${type.fields.map(({ name, type: inner }) => `${quoteName(name)} ${trinoType(inner)}`).join(', ')})`;
  if (isList(type)) return `array(${trinoType(type.element)})`;
  if (isMap(type)) return `map(${trinoType(type.key)}, ${trinoType(type.value)})`;
  return type.startsWith('fixed') ? 'varbinary' : (TRINO_NAMES[type] ?? type);
}

/** A value in Trino's SQL, of exactly the type. */
export function trinoLiteral(type: Type, value: TestValue): string {
  return `CAST(${trinoText(type, value)} AS ${trinoType(type)})`;
}

function trinoText(type: Type, value: TestValue): string {
  if (value === null) return 'NULL';
  if (isStruct(type))
    return `ROW(${type.fields.map((field) => trinoLiteral(field.type, fieldOf(value, field.name))).join(', ')})`;
  if (isList(type)) return arrayOf(type.element, listOf(value));
  if (isMap(type)) {
    const entries = [...mapOf(value)];
    const [keys, values] = [entries.map(([key]) => key), entries.map(([, inner]) => inner)];
    return `MAP(${arrayOf(type.key, keys)}, ${arrayOf(type.value, values)})`;
  }
  const text = String(value);
  if (type === 'string') return `from_utf8(X'${Buffer.from(text).toString('hex')}')`;
  if (type === 'binary' || type.startsWith('fixed')) return `X'${text}'`;
  return `'${isTime(type) ? trinoTime(text) : text}${type === 'timestamptz' ? ' UTC' : ''}'`;
}

const arrayOf = (type: Type, values: readonly TestValue[]): string =>
  `CAST(ARRAY[${values.map((value) => trinoLiteral(type, value)).join(', ')}] AS array(${trinoType(type)}))`;

/** Years before Christ are counted from 0 there, and years of five digits have a sign. */
function trinoTime(text: string): string {
  const [, year = '', rest = ''] = /^(\d+)(-.*)$/.exec(text.replace(' (BC)', '')) ?? [];
  if (text.includes('(BC)')) return `-${String(Number(year) - 1).padStart(4, '0')}${rest}`;
  return year.length > 4 ? `+${text}` : text;
}

/** A value in the embedded engine's SQL. */
export function duckLiteral(type: Type, value: TestValue): string {
  return `CAST(${duckText(type, value)} AS ${duckDbType(type)})`;
}

function duckText(type: Type, value: TestValue): string {
  if (value === null) return 'NULL';
  if (isStruct(type)) {
    const fields = type.fields.map(
      ({ name, type: inner }) => `${quoteName(name)} := ${duckLiteral(inner, fieldOf(value, name))}`,
    );
    return `struct_pack(${fields.join(', ')})`;
  }
  if (isList(type))
    return `[${listOf(value)
      .map((item) => duckLiteral(type.element, item))
      .join(', ')}]`;
  if (isMap(type)) {
    const entries = [...mapOf(value)].map(
      ([key, inner]) => `${duckLiteral(type.key, key)}: ${duckLiteral(type.value, inner)}`,
    );
    return `MAP {${entries.join(', ')}}`;
  }
  const text = String(value);
  if (type === 'string') return `decode(from_hex('${Buffer.from(text).toString('hex')}'))`;
  if (type === 'binary' || type.startsWith('fixed')) return `from_hex('${text}')`;
  return `'${text}${type === 'timestamptz' ? '+00' : ''}'`;
}

/** A value as both engines answer it (`valueJson`). */
export function jsonOf(type: Type, value: TestValue): JsonValue {
  if (value === null) return null;
  if (isStruct(type))
    return Object.fromEntries(
      type.fields.map(({ name, type: inner }) => [name, jsonOf(inner, fieldOf(value, name))]),
    );
  if (isList(type)) return listOf(value).map((item) => jsonOf(type.element, item));
  if (isMap(type))
    return Object.fromEntries([...mapOf(value)].map(([key, inner]) => [key, jsonOf(type.value, inner)]));
  const text = String(value);
  if (type === 'boolean') return text === 'true';
  if (type === 'int' || type === 'long') return integerJson(BigInt(text));
  if (type === 'float') return floatJson(Math.fround(Number(text)), true);
  if (type === 'double') return floatJson(Number(text), false);
  if (type.startsWith('decimal')) return decimalJson(text);
  if (type === 'binary' || type.startsWith('fixed')) return Buffer.from(text, 'hex').toString('base64');
  return type === 'timestamptz' ? `${text}Z` : text;
}

const isTime = (type: string): boolean => type === 'date' || type.startsWith('timestamp');

const listOf = (value: TestValue): readonly TestValue[] => (Array.isArray(value) ? value : []);

const mapOf = (value: TestValue): ReadonlyMap<string, TestValue> =>
  value instanceof Map ? value : new Map();

function fieldOf(value: TestValue, name: string): TestValue {
  return Object.entries(value ?? {}).find(([field]) => field === name)?.[1] ?? null;
}
