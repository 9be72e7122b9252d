import type { NestedField, PrimitiveValue } from './types.ts';

export type UnaryKind = 'isNull' | 'notNull' | 'isNan' | 'notNan';
export type ComparisonKind = 'eq' | 'notEq' | 'lt' | 'ltEq' | 'gt' | 'gtEq';
export type SetKind = 'in' | 'notIn';
export type PrefixKind = 'startsWith' | 'notStartsWith';

/** An expression over a schema's fields, without `not`, `in` and `notIn`, which are spelled out. */
export type BoundExpression =
  | { readonly kind: 'true' | 'false' }
  | { readonly kind: 'and' | 'or'; readonly children: readonly BoundExpression[] }
  | BoundPredicate;

export type BoundPredicate =
  | { readonly kind: UnaryKind; readonly field: NestedField }
  | BoundComparison
  | { readonly kind: PrefixKind; readonly field: NestedField; readonly prefix: string }
  /** A literal that the column's type cannot hold as SQL compares them: any row may match, or not. */
  | { readonly kind: 'opaque'; readonly field: NestedField };

export interface BoundComparison {
  readonly kind: ComparisonKind;
  readonly field: NestedField;
  /** A value of the field's type. */
  readonly value: PrimitiveValue;
  /** False where the literal was rounded to the type, so that engines may disagree about rows near it. */
  readonly exact: boolean;
}
