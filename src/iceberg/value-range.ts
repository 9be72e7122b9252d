import { isKind } from '../errors.ts';
import { type BoundComparison, type BoundPredicate, compareForFilter, isFloating } from './expressions.ts';
import { firstCharacters } from './metrics.ts';
import { type PrimitiveKind, type PrimitiveValue, primitiveKind, type Type } from './types.ts';
import { decodeValue } from './values.ts';

/** What is known of a column's values in a set of rows. Where nothing is known, everything may be. */
export interface ValueRange {
  readonly mayHaveNulls: boolean;
  readonly mayHaveNans: boolean;
  /** Values that are neither null nor NaN; all of them lie from `lower` to `upper`, where given. */
  readonly mayHaveValues: boolean;
  readonly lower?: PrimitiveValue;
  readonly upper?: PrimitiveValue;
}

/** Kinds whose bounds are none of single values, or that have none. */
const UNBOUNDED: readonly PrimitiveKind[] = ['unknown', 'variant', 'geometry', 'geography'];

/**
 * Bounds that can be relied on. Some writers ordered uuids as signed numbers or put NaN into bounds; such a pair, and
 * one that cannot be decoded, is no bound.
 */
export function soundBounds(
  type: Type,
  lower: PrimitiveValue | undefined,
  upper: PrimitiveValue | undefined,
): Pick<ValueRange, 'lower' | 'upper'> {
  if (Number.isNaN(lower) || Number.isNaN(upper)) return {};
  if (lower !== undefined && upper !== undefined && compareForFilter(type, lower, upper) > 0) return {};
  return { ...(lower === undefined ? {} : { lower }), ...(upper === undefined ? {} : { upper }) };
}

/** The value of a stored bound; undefined if there is none, or none that can be read. */
export function decodeBound(type: Type, bytes: Uint8Array | undefined): PrimitiveValue | undefined {
  if (bytes === undefined || UNBOUNDED.includes(primitiveKind(type))) return undefined;
  try {
    return decodeValue(type, bytes);
  } catch (error) {
    if (isKind(error, 'corrupt', 'unsupported')) return undefined;
    throw error;
  }
}

/** False only if no row of the range can meet the predicate. */
export function rangeMayMatch(predicate: BoundPredicate, range: ValueRange): boolean {
  switch (predicate.kind) {
    case 'opaque':
      return true;
    case 'isNull':
      return range.mayHaveNulls;
    case 'notNull':
      return range.mayHaveValues || range.mayHaveNans;
    case 'isNan':
      return range.mayHaveNans;
    case 'notNan':
      return range.mayHaveValues;
    case 'startsWith':
      return range.mayHaveValues && mayStartWith(range, predicate.prefix);
    case 'notStartsWith':
      return range.mayHaveValues && !allStartWith(range, predicate.prefix);
    default:
      return (
        (nanMatches(predicate) && range.mayHaveNans) ||
        (range.mayHaveValues && valueMayMatch(predicate, range))
      );
  }
}

/** True only if every row of the range meets the predicate. */
export function rangeMustMatch(predicate: BoundPredicate, range: ValueRange): boolean {
  const noNulls = !range.mayHaveNulls;
  switch (predicate.kind) {
    case 'opaque':
      return false;
    case 'isNull':
      return !range.mayHaveValues && !range.mayHaveNans;
    case 'notNull':
      return noNulls;
    case 'isNan':
      return noNulls && !range.mayHaveValues;
    case 'notNan':
      return noNulls && !range.mayHaveNans;
    case 'startsWith':
      return noNulls && allStartWith(range, predicate.prefix);
    case 'notStartsWith':
      return noNulls && !mayStartWith(range, predicate.prefix);
    default:
      // Engines do not agree on how NaN compares: rows with NaN decide by themselves.
      return noNulls && !range.mayHaveNans && predicate.exact && valueMustMatch(predicate, range);
  }
}

/** NaN is above all numbers. */
function nanMatches({ kind, field }: BoundComparison): boolean {
  return isFloating(field.type) && (kind === 'gt' || kind === 'gtEq' || kind === 'notEq');
}

interface Orders {
  /** How the lower and the upper bound compare with the predicate's value; undefined without a bound. */
  readonly lower: number | undefined;
  readonly upper: number | undefined;
}

function orders({ field, value }: BoundComparison, { lower, upper }: ValueRange): Orders {
  return {
    lower: lower === undefined ? undefined : compareForFilter(field.type, lower, value),
    upper: upper === undefined ? undefined : compareForFilter(field.type, upper, value),
  };
}

function valueMayMatch(predicate: BoundComparison, range: ValueRange): boolean {
  const { lower = -1, upper = 1 } = orders(predicate, range);
  const { kind, exact } = predicate;
  switch (kind) {
    case 'eq':
      return lower <= 0 && upper >= 0;
    case 'notEq':
      return !exact || lower !== 0 || upper !== 0;
    case 'lt':
      return exact ? lower < 0 : lower <= 0;
    case 'ltEq':
      return lower <= 0;
    case 'gt':
      return exact ? upper > 0 : upper >= 0;
    case 'gtEq':
      return upper >= 0;
  }
}

function valueMustMatch(predicate: BoundComparison, range: ValueRange): boolean {
  const { lower = -1, upper = 1 } = orders(predicate, range);
  switch (predicate.kind) {
    case 'eq':
      return lower === 0 && upper === 0;
    case 'notEq':
      return upper < 0 || lower > 0;
    case 'lt':
      return upper < 0;
    case 'ltEq':
      return upper <= 0;
    case 'gt':
      return lower > 0;
    case 'gtEq':
      return lower >= 0;
  }
}

function mayStartWith({ lower, upper }: ValueRange, prefix: string): boolean {
  const cut = (bound: string): string => firstCharacters(bound, [...prefix].length).join('');
  if (typeof lower === 'string' && compareForFilter('string', cut(lower), prefix) > 0) return false;
  return !(typeof upper === 'string' && compareForFilter('string', cut(upper), prefix) < 0);
}

function allStartWith({ lower, upper }: ValueRange, prefix: string): boolean {
  if (prefix === '') return true;
  return [lower, upper].every((bound) => typeof bound === 'string' && bound.startsWith(prefix));
}
