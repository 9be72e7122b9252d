import { isKind } from '../errors.ts';
import type { BoundExpression, ComparisonKind } from './bound-expression.ts';
import { floorDiv } from './time-text.ts';
import {
  decimalParameters,
  type NestedField,
  type PrimitiveKind,
  type PrimitiveValue,
  primitiveKind,
  type Type,
} from './types.ts';
import { encodeValue, parseValue } from './values.ts';

/** A literal as SQL text has it; it becomes a value of the column's type when it is bound. */
export interface SqlLiteral {
  readonly sql: 'number' | 'string' | 'date' | 'timestamp' | 'timestamptz';
  readonly text: string;
}

/**
 * A value in memory (see `PrimitiveValue`) of the column's type, or a literal of SQL. Texts and numbers in memory are
 * taken as SQL's where the column is of another type.
 */
export type Literal = PrimitiveValue | SqlLiteral;

/** A number without rounding: digits / 10^scale. */
interface ExactNumber {
  readonly digits: bigint;
  readonly scale: number;
}

const EXACT_KINDS: readonly PrimitiveKind[] = ['int', 'long', 'decimal'];
const TEXT_LITERALS: Record<SqlLiteral['sql'], readonly PrimitiveKind[]> = {
  number: [],
  string: [
    ...(['boolean', 'int', 'long', 'float', 'double', 'decimal', 'date', 'time'] as const),
    ...(['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns', 'string', 'uuid'] as const),
  ],
  date: ['date', 'timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'],
  timestamp: ['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'],
  timestamptz: ['timestamptz', 'timestamptz_ns'],
};

/**
 * A comparison of a field with a literal, turned into one with a value of the field's type. What no value of the type
 * can meet becomes `false`; what SQL would compare in another type becomes `opaque`.
 */
export function bindComparison(kind: ComparisonKind, field: NestedField, literal: Literal): BoundExpression {
  const sql =
    typeof literal === 'object' && !(literal instanceof Uint8Array) ? literal : asSql(field.type, literal);
  const fieldKind = primitiveKind(field.type);
  if (sql === null) return bindValue(kind, field, memoryValue(field.type, literal));
  if (sql.sql !== 'number') {
    const fits = TEXT_LITERALS[sql.sql].includes(fieldKind);
    return bindValue(kind, field, fits ? parsed(field.type, sql.text) : null);
  }
  if (fieldKind === 'float' || fieldKind === 'double') return bindFloat(kind, field, Number(sql.text));
  if (!EXACT_KINDS.includes(fieldKind)) return { kind: 'opaque', field };
  const number = exactNumber(sql.text);
  // SQL takes 1e5 for a double, and compares longs and decimals with it after rounding them.
  const rounds = fieldKind !== 'int' && /e/i.test(sql.text);
  return number === null || rounds ? { kind: 'opaque', field } : bindNumber(kind, field, number);
}

function bindValue(kind: ComparisonKind, field: NestedField, value: PrimitiveValue | null): BoundExpression {
  if (value === null || Number.isNaN(value)) return { kind: 'opaque', field };
  return { kind, field, value, exact: true };
}

function bindFloat(kind: ComparisonKind, field: NestedField, number: number): BoundExpression {
  if (!Number.isFinite(number)) return { kind: 'opaque', field };
  const value = field.type === 'float' ? Math.fround(number) : number;
  if (!Number.isFinite(value)) return { kind: 'opaque', field };
  return { kind, field, value, exact: value === number };
}

/** Compares with the next lower value of the type where the number lies between two of them. */
function bindNumber(kind: ComparisonKind, field: NestedField, number: ExactNumber): BoundExpression {
  const scale = decimalParameters(field.type)?.scale ?? 0;
  const shift = 10n ** BigInt(Math.abs(scale - number.scale));
  const floor = scale >= number.scale ? number.digits * shift : floorDiv(number.digits, shift);
  const exact = scale >= number.scale || floor * shift === number.digits;
  const limit = limitOf(field.type);
  if (floor > limit.highest) return beyond(kind, field, ['lt', 'ltEq', 'notEq']);
  if (floor < limit.lowest) return beyond(kind, field, ['gt', 'gtEq', 'notEq']);
  if (!exact && kind === 'eq') return { kind: 'false' };
  if (!exact && kind === 'notEq') return { kind: 'notNull', field };
  const value = field.type === 'int' ? Number(floor) : floor;
  return { kind: exact ? kind : BETWEEN[kind], field, value, exact: true };
}

/** For x between two values of a type, the comparison with the lower one that says the same. */
const BETWEEN: Record<ComparisonKind, ComparisonKind> = {
  eq: 'eq',
  notEq: 'notEq',
  lt: 'ltEq',
  ltEq: 'ltEq',
  gt: 'gt',
  gtEq: 'gt',
};

function beyond(
  kind: ComparisonKind,
  field: NestedField,
  always: readonly ComparisonKind[],
): BoundExpression {
  return always.includes(kind) ? { kind: 'notNull', field } : { kind: 'false' };
}

function limitOf(type: Type): { lowest: bigint; highest: bigint } {
  const decimal = decimalParameters(type);
  if (decimal) {
    const highest = 10n ** BigInt(decimal.precision) - 1n;
    return { lowest: -highest, highest };
  }
  const power = 2n ** (type === 'int' ? 31n : 63n);
  return { lowest: -power, highest: power - 1n };
}

/** A value in memory that is not one of the column's type, as the SQL literal it stands for; null if it is one. */
function asSql(type: Type, literal: PrimitiveValue): SqlLiteral | null {
  const kind = primitiveKind(type);
  if (typeof literal === 'number') {
    return kind === 'int' || kind === 'long' || kind === 'decimal' || kind === 'float'
      ? { sql: 'number', text: String(literal) }
      : null;
  }
  if (typeof literal === 'bigint') {
    return kind === 'int' || kind === 'float' || kind === 'double'
      ? { sql: 'number', text: String(literal) }
      : null;
  }
  return typeof literal === 'string' && kind !== 'string' && kind !== 'uuid'
    ? { sql: 'string', text: literal }
    : null;
}

function memoryValue(type: Type, literal: Literal): PrimitiveValue | null {
  if (typeof literal === 'object' && !(literal instanceof Uint8Array)) return null;
  try {
    encodeValue(type, literal);
    return literal;
  } catch (error) {
    if (isKind(error, 'invalid-argument', 'unsupported')) return null;
    throw error;
  }
}

function parsed(type: Type, text: string): PrimitiveValue | null {
  try {
    return type === 'string' ? text : parseValue(type, text);
  } catch (error) {
    if (isKind(error, 'invalid-argument', 'unsupported')) return null;
    throw error;
  }
}

function exactNumber(text: string): ExactNumber | null {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(text);
  const fraction = match?.[3] ?? '';
  const digits = `${match?.[2] ?? ''}${fraction}`;
  if (!match || digits === '') return null;
  const magnitude = BigInt(digits);
  return {
    digits: match[1] === '-' ? -magnitude : magnitude,
    scale: fraction.length - Number(match[4] ?? 0),
  };
}
