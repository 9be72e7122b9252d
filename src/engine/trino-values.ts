import {
  decimalJson,
  floatJson,
  integerJson,
  type JsonValue,
  mapKey,
  type Row,
  yearZeroText,
} from './row-values.ts';

/** A column of an answer, its type as Trino writes it: `decimal(12,2)`, `array(row(a bigint))`. */
export interface TrinoColumn {
  readonly name: string;
  readonly type: string;
  /** The type, taken apart by Trino. */
  readonly typeSignature?: unknown;
}

type Reader = (value: unknown) => JsonValue;

/** How Trino's client protocol writes the values of a type, by the type's raw name; all else it writes as JSON can say it. */
const PLAIN: Readonly<Record<string, Reader>> = {
  tinyint: integer,
  smallint: integer,
  integer,
  bigint: integer,
  // Java writes some floats with more digits than they need.
  real: (value) => floatJson(Math.fround(Number(value)), true),
  double: (value) => floatJson(Number(value), false),
  decimal: (value) => decimalJson(String(value)),
  date: (value) => timeText(String(value)),
  time: (value) => timeText(String(value)),
  timestamp: (value) => timeText(String(value)),
  'timestamp with time zone': (value) => instantText(String(value)),
};

/**
 * Turns the rows of an answer into objects, their values as the embedded engine gives them (`valueJson`): the same text from both engines.
 * A second column of a name is called `name:1`, or by the next number that no column has.
 */
export function rowReader(columns: readonly TrinoColumn[]): (row: readonly unknown[]) => Row {
  const names = distinctNames(columns.map(({ name }) => name));
  const readers = columns.map(({ typeSignature }) => readerOf(typeSignature));
  return (row) => Object.fromEntries(readers.map((read, i) => [names[i], read(row[i])]));
}

/** Each name once: no value may stand in another one's place. */
function distinctNames(given: readonly string[]): string[] {
  const taken = new Set(given);
  const seen = new Set<string>();
  return given.map((name) => {
    let own = name;
    if (seen.has(name)) for (let n = 1; taken.has(own); n++) own = `${name}:${n}`;
    seen.add(own);
    taken.add(own);
    return own;
  });
}

/** A reader for a type as Trino takes it apart: `{ rawType, arguments: [{ kind, value }] }`. */
function readerOf(signature: unknown): Reader {
  const { rawType, arguments: given } = record(signature);
  const parts = Array.isArray(given) ? given.map((part) => record(part)['value']) : [];
  return nullable(nestedReader(String(rawType), parts) ?? PLAIN[String(rawType)] ?? other);
}

const nullable =
  (read: Reader): Reader =>
  (value) =>
    value === null || value === undefined ? null : read(value);

function nestedReader(rawType: string, parts: readonly unknown[]): Reader | undefined {
  if (rawType === 'array') {
    const read = readerOf(parts[0]);
    return (value) => list(value).map(read);
  }
  if (rawType === 'map') {
    const [key, read] = [readerOf(parts[0]), readerOf(parts[1])];
    return (value) =>
      Object.fromEntries(Object.entries(record(value)).map(([k, v]) => [mapKey(key(k)), read(v)]));
  }
  if (rawType !== 'row') return undefined;
  const fields = parts.map(record);
  const names = distinctNames(
    fields.map(({ fieldName }, i) => String(record(fieldName)['name'] ?? `field${i}`)),
  );
  const readers = fields.map(({ typeSignature }) => readerOf(typeSignature));
  return (value) => Object.fromEntries(readers.map((read, i) => [names[i], read(list(value)[i])]));
}

/** As a JSON number, or as text where it is the key of a map. */
function integer(value: unknown): JsonValue {
  return integerJson(typeof value === 'bigint' ? value : BigInt(String(value)));
}

/** `-0001-03-05 12:00:00.120000` as the embedded engine writes it: years before Christ counted from 1 (1 BC is Trino's year 0), no zeros at the end. */
function timeText(text: string): string {
  const short = text.replace(/(:\d\d)(?:\.(\d*?)0*)$/, (_, seconds, digits) =>
    digits === '' ? seconds : `${seconds}.${digits}`,
  );
  const [, sign, year, rest] = /^([+-]?)(\d{4,})(-.*)$/s.exec(short) ?? [];
  if (year === undefined || rest === undefined) return short;
  if (sign !== '-') return yearZeroText(`${year}${rest}`);
  return `${String(Number(year) + 1).padStart(4, '0')}${rest.slice(0, 6)} (BC)${rest.slice(6)}`;
}

/** In UTC, with a `Z`; a time in a named zone other than UTC as it is, since an hour in autumn has no one time in UTC. */
function instantText(text: string): string {
  const at = text.lastIndexOf(' ');
  const [time, zone] = [text.slice(0, at), text.slice(at + 1)];
  if (zone === 'UTC' || zone === '+00:00') return `${timeText(time)}Z`;
  return `${timeText(time)} ${zone}`;
}

function other(value: unknown): JsonValue {
  if (typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') return value;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
