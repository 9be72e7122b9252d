import {
  describeType,
  type NestedField,
  type PrimitiveKind,
  primitiveKind,
  type Type,
} from '../iceberg/types.ts';
import { parseValue, valueFromJson } from '../iceberg/values.ts';
import type { Cell } from '../parquet/cell.ts';
import { doubledKey } from './json-keys.ts';
import { Misfit, misfitOf } from './misfit.ts';

/** A JSON number that a double cannot hold: its own digits. */
class JsonNumber {
  readonly #digits: string;

  constructor(digits: string) {
    this.#digits = digits;
  }

  get digits(): string {
    return this.#digits;
  }
}

/** What ES2025 adds to JSON and TypeScript's library does not know yet. */
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}

const sourceJson: SourceJson = JSON as JSON & SourceJson;

/** Numbers that a double might change: many digits, or an exponent. */
const LONG_NUMBER = /\d[\d.]{14,}|\d[eE]/;

/** Parses a JSON document without losing a digit of its numbers (`jsonCell` reads them). An object with a doubled key is at fault: one of its values would be lost. */
export function parseJsonLine(text: string): { readonly value: unknown; readonly fault: string | null } {
  let value: unknown;
  try {
    value = parseNumbers(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { value: undefined, fault: `it is not valid JSON: ${reason}` };
  }
  const doubled = doubledKey(text, value);
  if (doubled === null) return { value, fault: null };
  return { value: undefined, fault: `an object holds the key ${JSON.stringify(doubled)} twice` };
}

function parseNumbers(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return sourceJson.parse(text, (_key, item, { source }) =>
    typeof item === 'number' && source !== undefined && String(item) !== source
      ? new JsonNumber(source)
      : item,
  );
}

/** True for an object of a JSON document. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
  );
}

/** A JSON value as text, for messages. */
export function jsonText(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits;
  const plain = (_key: string, item: unknown) => (item instanceof JsonNumber ? item.digits : item);
  try {
    return JSON.stringify(value, plain) ?? '';
  } catch (error) {
    // What is nested beyond the stack was read, and cannot be written.
    if (error instanceof RangeError) return '[…]';
    throw error;
  }
}

/**
 * A JSON value as a value of a column: numbers for numbers, true and false, the spec's text for all others (appendix D), an object for a struct and for a map by the text of its keys.
 * Longs and decimals may be text too, as programs write them that have doubles only; NaN and the infinities are text.
 *
 * @throws Misfit
 */
export function jsonCell(type: Type, value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof type === 'string') return primitiveCell(type, value);
  if (type.type === 'list') {
    if (!Array.isArray(value)) throw new Misfit(jsonText(value), type, 'write a JSON array');
    return value.map((item) => requiredCell('element', type['element-required'], type.element, item));
  }
  if (!isJsonObject(value)) throw new Misfit(jsonText(value), type, 'write a JSON object');
  if (type.type === 'struct') return structCell(type.fields, value, type);
  return Object.entries(value).map(([key, item]) => [
    misfitOf(type.key, key, () =>
      typeof type.key === 'string' ? parseValue(type.key, key) : jsonCell(type.key, key),
    ),
    requiredCell('value', type['value-required'], type.value, item),
  ]);
}

function structCell(
  fields: readonly NestedField[],
  value: Readonly<Record<string, unknown>>,
  type: Type,
): Cell {
  const unknown = Object.keys(value).find((key) => !fields.some((field) => field.name === key));
  if (unknown !== undefined)
    throw new Misfit(jsonText(value), type, `it has no field ${JSON.stringify(unknown)}`);
  return fields.map((field) =>
    requiredCell(
      field.name,
      field.required,
      field.type,
      Object.hasOwn(value, field.name) ? value[field.name] : null,
    ),
  );
}

function requiredCell(name: string, required: boolean, type: Type, value: unknown): Cell {
  const cell = jsonCell(type, value);
  if (cell === null && required) throw new Misfit('null', type, `${name} is required`);
  return cell;
}

const NUMERIC: readonly PrimitiveKind[] = ['int', 'long', 'float', 'double', 'decimal'];

function primitiveCell(type: string, value: unknown): Cell {
  const text = jsonText(value);
  return misfitOf(type, text, () => {
    const kind = primitiveKind(type);
    if (!NUMERIC.includes(kind)) return valueFromJson(type, value);
    if (typeof value === 'string') {
      const allowed = kind === 'long' || kind === 'decimal' || /^(NaN|[+-]?Infinity)$/.test(value);
      if (!allowed) throw new Misfit(text, type, `write a JSON number, not text, for ${describeType(type)}`);
      return parseValue(type, value);
    }
    if (typeof value !== 'number' && !(value instanceof JsonNumber))
      throw new Misfit(text, type, 'write a JSON number');
    return parseValue(type, kind === 'int' || kind === 'long' ? wholeNumber(text) : text);
  });
}

/** `1e3` and `2.0` are the integers 1000 and 2 in JSON. */
function wholeNumber(text: string): string {
  if (/^-?\d+$/.test(text)) return text;
  const number = Number(text);
  return Number.isSafeInteger(number) ? String(number) : text;
}
