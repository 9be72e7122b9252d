import { LakeError } from '../errors.ts';
import {
  decimalParameters,
  describeType,
  fixedLength,
  primitiveKind,
  type Type,
  type Value,
} from './types.ts';

/** Checks of what a value is in memory (see `PrimitiveValue`); each throws LakeError('invalid-argument'). */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INT32_LIMIT = 2 ** 31;
const INT64_LIMIT = 2n ** 63n;

export function expectBoolean(type: Type, value: Value): boolean {
  return typeof value === 'boolean' ? value : mismatch(type, value);
}

/** A number; an integer in range for int and date. */
export function expectNumber(type: Type, value: Value): number {
  if (typeof value !== 'number') return mismatch(type, value);
  const kind = primitiveKind(type);
  if (kind === 'float' || kind === 'double') return value;
  const fits = Number.isInteger(value) && value >= -INT32_LIMIT && value < INT32_LIMIT;
  return fits ? value : mismatch(type, value);
}

/**
 * A bigint, of 64 bits but for decimals (truncation may take those below what their precision holds). A safe
 * integer is taken too, as values written before int became long are numbers.
 */
export function expectBigint(type: Type, value: Value): bigint {
  const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof integer !== 'bigint') return mismatch(type, value);
  const fits = (integer >= -INT64_LIMIT && integer < INT64_LIMIT) || decimalParameters(type) !== null;
  return fits ? integer : mismatch(type, value);
}

/** Text; well-formed, as a lone surrogate has no UTF-8, and canonical for uuid. */
export function expectText(type: Type, value: Value): string {
  if (typeof value !== 'string' || !value.isWellFormed()) return mismatch(type, value);
  return type === 'uuid' && !UUID.test(value) ? mismatch(type, value) : value;
}

/** Bytes; of the type's length for `fixed[L]`. */
export function expectBytes(type: Type, value: Value): Uint8Array {
  if (!(value instanceof Uint8Array)) return mismatch(type, value);
  const length = fixedLength(type);
  return length === null || length === value.length ? value : mismatch(type, value);
}

/** @throws LakeError('invalid-argument') always: `value` is none of `type`. */
export function mismatch(type: Type, value: unknown): never {
  const shown = value instanceof Uint8Array ? `${value.length} bytes` : `${typeof value} ${String(value)}`;
  throw new LakeError('invalid-argument', `${shown} is not a value of type ${describeType(type)}`, {
    hint: 'nothing was written; the value is out of range or of another type',
  });
}
