import { LakeError } from '../errors.ts';
import type {
  BoundExpression,
  BoundPredicate,
  ComparisonKind,
  PrefixKind,
  SetKind,
  UnaryKind,
} from './bound-expression.ts';
import { bindComparison, type Literal } from './literals.ts';
import { fieldsById, parentFieldId, requireField, type Schema } from './schema.ts';
import {
  isPrimitive,
  isStruct,
  type NestedField,
  type PrimitiveValue,
  type Type,
  type Value,
} from './types.ts';
import { compareValues } from './values.ts';

export type * from './bound-expression.ts';
export type { Literal } from './literals.ts';

/**
 * Predicates over rows, with the meaning they have in SQL: where a column is null, every comparison is
 * unknown, also a negated one, and the row is not selected. NaN equals itself and is above all numbers;
 * -0 equals 0.
 */
export type Expression =
  | { readonly kind: 'true' | 'false' }
  | { readonly kind: 'and' | 'or'; readonly children: readonly Expression[] }
  | { readonly kind: 'not'; readonly child: Expression }
  | { readonly kind: UnaryKind; readonly column: string }
  | { readonly kind: ComparisonKind; readonly column: string; readonly literal: Literal }
  | { readonly kind: SetKind; readonly column: string; readonly literals: readonly Literal[] }
  | { readonly kind: PrefixKind; readonly column: string; readonly prefix: string };

const NEGATED = {
  isNull: 'notNull',
  notNull: 'isNull',
  isNan: 'notNan',
  notNan: 'isNan',
  eq: 'notEq',
  notEq: 'eq',
  lt: 'gtEq',
  gtEq: 'lt',
  gt: 'ltEq',
  ltEq: 'gt',
  in: 'notIn',
  notIn: 'in',
  startsWith: 'notStartsWith',
  notStartsWith: 'startsWith',
} as const;

/**
 * The expression without `not`: it is moved into the predicates, which in SQL's three-valued logic selects the
 * same rows.
 */
export function rewriteNot(expression: Expression): Expression {
  switch (expression.kind) {
    case 'not':
      return negate(expression.child);
    case 'and':
    case 'or':
      return { kind: expression.kind, children: expression.children.map(rewriteNot) };
    default:
      return expression;
  }
}

function negate(expression: Expression): Expression {
  switch (expression.kind) {
    case 'true':
      return { kind: 'false' };
    case 'false':
      return { kind: 'true' };
    case 'not':
      return rewriteNot(expression.child);
    case 'and':
    case 'or':
      return { kind: expression.kind === 'and' ? 'or' : 'and', children: expression.children.map(negate) };
    case 'eq':
    case 'notEq':
    case 'lt':
    case 'ltEq':
    case 'gt':
    case 'gtEq':
      return { ...expression, kind: NEGATED[expression.kind] };
    case 'in':
    case 'notIn':
      return { ...expression, kind: NEGATED[expression.kind] };
    case 'startsWith':
    case 'notStartsWith':
      return { ...expression, kind: NEGATED[expression.kind] };
    default:
      return { ...expression, kind: NEGATED[expression.kind] };
  }
}

/**
 * Resolves the columns of an expression (case does not matter) and turns its literals into values of their
 * types.
 *
 * @throws LakeError('not-found') for an unknown column, with the nearest name.
 */
export function bind(expression: Expression, schema: Schema): BoundExpression {
  return bindRewritten(rewriteNot(expression), schema);
}

function bindRewritten(expression: Expression, schema: Schema): BoundExpression {
  switch (expression.kind) {
    case 'true':
    case 'false':
      return expression;
    case 'and':
    case 'or':
      return {
        kind: expression.kind,
        children: expression.children.map((child) => bindRewritten(child, schema)),
      };
    case 'not':
      throw new LakeError('internal', 'an expression still holds NOT after it was rewritten');
    default:
      return bindPredicate(expression, requireField(schema, expression.column), schema);
  }
}

type Predicate = Extract<Expression, { readonly column: string }>;

function bindPredicate(predicate: Predicate, field: NestedField, schema: Schema): BoundExpression {
  if (isRepeated(field, schema) || !isPrimitive(field.type)) return { kind: 'opaque', field };
  switch (predicate.kind) {
    case 'isNull':
    case 'notNull':
      return { kind: predicate.kind, field };
    case 'isNan':
    case 'notNan':
      return isFloating(field.type) ? { kind: predicate.kind, field } : { kind: 'opaque', field };
    case 'in':
      return {
        kind: 'or',
        children: predicate.literals.map((literal) => bindComparison('eq', field, literal)),
      };
    case 'notIn':
      return {
        kind: 'and',
        children: predicate.literals.map((literal) => bindComparison('notEq', field, literal)),
      };
    case 'startsWith':
    case 'notStartsWith':
      if (field.type !== 'string') return { kind: 'opaque', field };
      return { kind: predicate.kind, field, prefix: predicate.prefix };
    default:
      return bindComparison(predicate.kind, field, predicate.literal);
  }
}

export function isFloating(type: Type): boolean {
  return type === 'float' || type === 'double';
}

/** True if a row holds any number of the field's values: it is in a list or map. */
function isRepeated(field: NestedField, schema: Schema): boolean {
  for (let id = parentFieldId(schema, field.id); id !== null; id = parentFieldId(schema, id)) {
    const around = fieldsById(schema).get(id);
    if (around && !isStruct(around.type)) return true;
  }
  return false;
}

/**
 * True if the row is selected.
 *
 * @param get the row's value of a field, by id.
 * @throws LakeError('unsupported') for a comparison whose literal the column's type cannot hold.
 */
export function evaluateRow(bound: BoundExpression, get: (fieldId: number) => Value): boolean {
  return holds(bound, (predicate) => evaluatePredicate(predicate, get(predicate.field.id)));
}

/** What an expression comes to, given what each of its predicates does. */
export function holds(bound: BoundExpression, test: (predicate: BoundPredicate) => boolean): boolean {
  switch (bound.kind) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return bound.children.every((child) => holds(child, test));
    case 'or':
      return bound.children.some((child) => holds(child, test));
    default:
      return test(bound);
  }
}

function evaluatePredicate(predicate: BoundPredicate, value: Value): boolean {
  if (predicate.kind === 'isNull') return value === null;
  if (value === null) return false;
  switch (predicate.kind) {
    case 'notNull':
      return true;
    case 'isNan':
      return Number.isNaN(value);
    case 'notNan':
      return !Number.isNaN(value);
    case 'startsWith':
      return typeof value === 'string' && value.startsWith(predicate.prefix);
    case 'notStartsWith':
      return typeof value === 'string' && !value.startsWith(predicate.prefix);
    case 'opaque':
      return refuseOpaque(predicate.field);
    case 'eq':
    case 'notEq':
    case 'lt':
    case 'ltEq':
    case 'gt':
    case 'gtEq':
      return COMPARED[predicate.kind](compareForFilter(predicate.field.type, value, predicate.value));
  }
}

function refuseOpaque(field: NestedField): never {
  throw new LakeError('unsupported', `column ${field.name} is compared with a value of another type`, {
    hint: 'rows can be compared by SQL alone',
  });
}

/** For a literal on the left: 5 < x says x > 5. */
export const FLIPPED: Readonly<Record<ComparisonKind, ComparisonKind>> = {
  eq: 'eq',
  notEq: 'notEq',
  lt: 'gt',
  ltEq: 'gtEq',
  gt: 'lt',
  gtEq: 'ltEq',
};

const COMPARED: Record<ComparisonKind, (order: number) => boolean> = {
  eq: (order) => order === 0,
  notEq: (order) => order !== 0,
  lt: (order) => order < 0,
  ltEq: (order) => order <= 0,
  gt: (order) => order > 0,
  gtEq: (order) => order >= 0,
};

/** `compareValues`, but for zeros, which are equal in SQL whatever their sign. */
export function compareForFilter(type: Type, a: PrimitiveValue, b: PrimitiveValue): number {
  return a === 0 && b === 0 ? 0 : compareValues(type, a, b);
}
