import {
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api';

/** What JSON can say of a value without losing a digit. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type Row = Readonly<Record<string, JsonValue>>;

/** The shortest decimal text that reads back as the same 32-bit float, as a number. */
function shortestFloat(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** A float as a number; NaN and infinities as text. `single`: it has 32 bits. */
export function floatJson(value: number, single: boolean): JsonValue {
  if (!Number.isFinite(value)) return String(value);
  return single ? shortestFloat(value) : value;
}

/** An integer as a number, or as text where a double would lose digits. */
export function integerJson(value: bigint): JsonValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** A decimal's text (`-12.30`) as a number if a double keeps all its digits (15 do for sure), else as it is. */
export function decimalJson(text: string): JsonValue {
  const digits = text.replace(/^-?[0.]*/, '').replace('.', '');
  return digits.length <= 15 ? Number(text) : text;
}

function nestedJson(value: DuckDBValue, type: DuckDBType): JsonValue | undefined {
  if (value instanceof DuckDBListValue && type.typeId === DuckDBTypeId.LIST) {
    return value.items.map((item) => valueJson(item, type.valueType));
  }
  if (value instanceof DuckDBStructValue && type.typeId === DuckDBTypeId.STRUCT) {
    return Object.fromEntries(
      type.entryNames.map((name, index) => [
        name,
        valueJson(value.entries[name] ?? null, type.entryTypes[index]!),
      ]),
    );
  }
  if (value instanceof DuckDBMapValue && type.typeId === DuckDBTypeId.MAP) {
    return Object.fromEntries(
      value.entries.map((entry) => [
        mapKey(valueJson(entry.key, type.keyType)),
        valueJson(entry.value, type.valueType),
      ]),
    );
  }
  return undefined;
}

/** A map's key as the key of an object. */
export const mapKey = (key: JsonValue): string => (typeof key === 'string' ? key : JSON.stringify(key));

/** A date or a time as text, its year 0 as 1 BC: years are counted from 1 on both sides. DuckDB's own text has it so, that of its Node client has not. */
export function yearZeroText(text: string): string {
  return text.replace(/^0000(-\d\d-\d\d)(?=$| )/, '0001$1 (BC)');
}

/**
 * A value of a DuckDB result as JSON: integers and decimals as numbers, or as text where a double would lose digits; NaN and infinities,
 * dates and times as text (timestamptz in UTC with a `Z`); binary in base64; a map as an object by the text of its keys.
 */
export function valueJson(value: DuckDBValue, type: DuckDBType): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return floatJson(value, type.typeId === DuckDBTypeId.FLOAT);
  if (typeof value === 'bigint') return integerJson(value);
  if (value instanceof DuckDBDecimalValue) return decimalJson(value.toString());
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  if (value instanceof DuckDBTimestampTZValue)
    return `${yearZeroText(new DuckDBTimestampValue(value.micros).toString())}Z`;
  return nestedJson(value, type) ?? yearZeroText(String(value));
}
