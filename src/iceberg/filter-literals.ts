import { isKind, LakeError } from '../errors.ts';
import type { Literal } from './literals.ts';
import { type PrimitiveKind, primitiveKind, type Type } from './types.ts';
import { valueFromJson } from './values.ts';

/** A literal of a filter in JSON (REST spec: `Literal`), with its type where the client says it. */
export interface JsonLiteral {
  readonly value: boolean | number | bigint | string;
  readonly dataType?: Type;
}

const NUMBERS: readonly PrimitiveKind[] = ['int', 'long', 'decimal', 'float', 'double'];
/** Clients that do not know the column's type send days and microseconds. Nanoseconds would not be told from microseconds. */
const MICROS: readonly PrimitiveKind[] = ['time', 'timestamp', 'timestamptz'];
/** Binary values come in hexadecimal, and from some clients in other forms that look like it. */
const UNCLEAR: readonly PrimitiveKind[] = ['fixed', 'binary', 'unknown', 'variant', 'geometry', 'geography'];
const INT_LIMIT = 2 ** 31;

/** @throws LakeError('invalid-argument') for what is no literal. */
export function jsonLiteral(json: unknown): JsonLiteral {
  if (isPlain(json)) return { value: json };
  if (isTyped(json, 'literal') && isPlain(json['value'])) {
    return { value: json['value'], ...dataTypeOf(json['data-type']) };
  }
  throw refused();
}

/** The literals of a set, in either of the two forms that the spec has. @throws LakeError('invalid-argument') */
export function jsonLiterals(json: unknown): readonly JsonLiteral[] {
  if (Array.isArray(json)) return json.map(jsonLiteral);
  if (!isTyped(json, 'literals') || !Array.isArray(json['values'])) throw refused();
  const dataType = dataTypeOf(json['data-type']);
  return json['values'].map((value: unknown) => {
    if (!isPlain(value)) throw refused();
    return { value, ...dataType };
  });
}

/** The literal as pruning takes it for a column of `type`; null if it cannot be said for sure what is meant. */
export function filterLiteral({ value, dataType }: JsonLiteral, type: Type): Literal | null {
  if (typeof type !== 'string') return null;
  if (dataType === type) return typedValue(type, value);
  const kind = primitiveKind(type);
  if (UNCLEAR.includes(kind)) return null;
  if (typeof value === 'boolean') return kind === 'boolean' ? value : null;
  if (typeof value === 'string') return kind === 'string' ? value : { sql: 'string', text: value };
  if (NUMBERS.includes(kind)) return { sql: 'number', text: String(value) };
  if (dataType !== undefined || !Number.isInteger(Number(value))) return null;
  if (MICROS.includes(kind)) return BigInt(value);
  return kind === 'date' && Math.abs(Number(value)) < INT_LIMIT ? Number(value) : null;
}

function typedValue(type: Type, value: JsonLiteral['value']): Literal | null {
  try {
    return valueFromJson(type, value);
  } catch (error) {
    if (isKind(error, 'invalid-argument', 'unsupported')) return null;
    throw error;
  }
}

/** @throws LakeError('invalid-argument') for a type that is none of the spec. */
function dataTypeOf(json: unknown): { readonly dataType?: Type } {
  if (json === undefined || json === null) return {};
  if (typeof json !== 'string') throw refused();
  primitiveKind(json);
  return { dataType: json };
}

function isPlain(json: unknown): json is JsonLiteral['value'] {
  return ['boolean', 'number', 'bigint', 'string'].includes(typeof json);
}

function isTyped(json: unknown, type: string): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && 'type' in json && json.type === type;
}

function refused(): LakeError {
  return new LakeError('invalid-argument', 'Invalid filter: a literal is a boolean, a number or a text', {
    hint: 'Nothing was planned: write literals as the REST spec has `Literal`.',
  });
}
