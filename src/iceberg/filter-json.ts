import { LakeError } from '../errors.ts';
import { type BoundExpression, bind, type Expression } from './expressions.ts';
import { filterLiteral, type JsonLiteral, jsonLiteral, jsonLiterals } from './filter-literals.ts';
import { type FilterTerm, isTerm, termOf } from './filter-terms.ts';
import { isJsonObject } from './json.ts';
import { columnName, findField, type Schema } from './schema.ts';
import type { NestedField } from './types.ts';

/** The JSON type of a predicate that tests rows (REST spec: `ExpressionType`). */
type PredicateType =
  | 'is-null'
  | 'not-null'
  | 'is-nan'
  | 'not-nan'
  | 'lt'
  | 'lt-eq'
  | 'gt'
  | 'gt-eq'
  | 'eq'
  | 'not-eq'
  | 'starts-with'
  | 'not-starts-with'
  | 'in'
  | 'not-in';

/** A filter of the REST protocol (REST spec: `Predicate`) over the fields of a schema, without `not`, which is moved into the predicates. */
export type RestFilter =
  | { readonly kind: 'true' | 'false' }
  | { readonly kind: 'and' | 'or'; readonly children: readonly RestFilter[] }
  | RestPredicate;

export interface RestPredicate {
  readonly kind: 'predicate';
  /** As the client wrote it, but for its type where it stood under `not`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What it tests; null if that is not judged here (a transform, two columns, a literal of an unclear form): any row may match. */
  readonly bound: BoundExpression | null;
  /** Iceberg's own libraries let rows through where the field is null, SQL does not: both readings are kept. */
  readonly nullsMatch: NestedField | null;
}

const NEGATED: Readonly<Record<PredicateType, PredicateType>> = {
  'is-null': 'not-null',
  'not-null': 'is-null',
  'is-nan': 'not-nan',
  'not-nan': 'is-nan',
  lt: 'gt-eq',
  'gt-eq': 'lt',
  gt: 'lt-eq',
  'lt-eq': 'gt',
  eq: 'not-eq',
  'not-eq': 'eq',
  in: 'not-in',
  'not-in': 'in',
  'starts-with': 'not-starts-with',
  'not-starts-with': 'starts-with',
};

/** Reads of `literal < column` as of `column > literal`. */
const FLIPPED: Partial<Record<PredicateType, PredicateType>> = {
  lt: 'gt',
  'lt-eq': 'gt-eq',
  gt: 'lt',
  'gt-eq': 'lt-eq',
  eq: 'eq',
  'not-eq': 'not-eq',
};

const KINDS = {
  'is-null': 'isNull',
  'not-null': 'notNull',
  'is-nan': 'isNan',
  'not-nan': 'notNan',
  lt: 'lt',
  'lt-eq': 'ltEq',
  gt: 'gt',
  'gt-eq': 'gtEq',
  eq: 'eq',
  'not-eq': 'notEq',
} as const;

const NULLS_MATCH: readonly PredicateType[] = ['not-eq', 'not-in', 'not-starts-with', 'not-nan'];

/** Expressions nest by recursion, here and in whoever reads the residual. */
const MAX_DEPTH = 1000;
/** To compare a file with more values than that costs more than to read it. */
const MAX_PRUNING_LITERALS = 1000;

interface Parsing {
  readonly schema: Schema;
  readonly caseSensitive: boolean;
  readonly depth: number;
  readonly negated: boolean;
}

/**
 * Reads a filter as JSON has it, both in its present form and in the deprecated one with `term` and `value`.
 *
 * @param json as `parseJson` gives it: 64-bit integers may be bigint.
 * @throws LakeError('invalid-argument') for what is no predicate of the spec, unknown columns and functions included.
 */
export function parseFilter(json: unknown, schema: Schema, caseSensitive: boolean): RestFilter {
  return parse(json, { schema, caseSensitive, depth: 0, negated: false });
}

function parse(json: unknown, at: Parsing): RestFilter {
  if (at.depth > MAX_DEPTH) throw refused(`it nests deeper than ${MAX_DEPTH} levels`);
  if (typeof json === 'boolean') return constant(json !== at.negated);
  if (!isJsonObject(json)) throw refused(`${shown(json)} is no predicate`);
  const type = json['type'];
  const inner = { ...at, depth: at.depth + 1 };
  switch (type) {
    case 'true':
    case 'false':
      return constant((type === 'true') !== at.negated);
    case 'and':
    case 'or': {
      const kind = (type === 'and') !== at.negated ? 'and' : 'or';
      return { kind, children: [parse(json['left'], inner), parse(json['right'], inner)] };
    }
    case 'not':
      return parse(json['child'], { ...inner, negated: !at.negated });
    default:
      if (typeof type !== 'string' || !Object.hasOwn(NEGATED, type)) {
        throw refused(`${shown(type)} is no type of a predicate`);
      }
      return predicate(json, type as PredicateType, at);
  }
}

function constant(holds: boolean): RestFilter {
  return { kind: holds ? 'true' : 'false' };
}

/** What a predicate says of a single field, or that it cannot be told here. */
interface Tested {
  readonly field: NestedField | null;
  readonly expression: Expression | null;
}

function predicate(json: Readonly<Record<string, unknown>>, type: PredicateType, at: Parsing): RestPredicate {
  const meant = at.negated ? NEGATED[type] : type;
  const { field, expression } = tested(json, meant, at);
  return {
    kind: 'predicate',
    json: { ...json, type: meant },
    bound: expression === null ? null : bind(expression, at.schema),
    nullsMatch: NULLS_MATCH.includes(meant) ? field : null,
  };
}

function tested(json: Readonly<Record<string, unknown>>, type: PredicateType, at: Parsing): Tested {
  switch (type) {
    case 'is-null':
    case 'not-null':
    case 'is-nan':
    case 'not-nan': {
      const term = termOf(json['child'] ?? json['term'], at);
      return onColumn(term, at.schema, (column) => ({ kind: KINDS[type], column }));
    }
    case 'in':
    case 'not-in': {
      const term = termOf(json['child'] ?? json['term'], at);
      const literals = jsonLiterals(json['values']);
      return onColumn(term, at.schema, (column, field) => setOf(type, column, literals, field));
    }
    default:
      return compared(json, type, at);
  }
}

function compared(
  json: Readonly<Record<string, unknown>>,
  type: Exclude<PredicateType, 'in' | 'not-in' | 'is-null' | 'not-null' | 'is-nan' | 'not-nan'>,
  at: Parsing,
): Tested {
  const [left, right] = [json['left'] ?? json['term'], json['right'] ?? json['value']];
  // The deprecated form names its column by a bare text, which in the present one is a literal.
  const leftIsTerm = json['left'] === undefined || isTerm(left);
  if (leftIsTerm && isTerm(right)) {
    termOf(left, at);
    termOf(right, at);
    return UNTOLD;
  }
  if (!leftIsTerm && !isTerm(right)) {
    jsonLiteral(left);
    jsonLiteral(right);
    return UNTOLD;
  }
  const [term, literal] = leftIsTerm
    ? [termOf(left, at), jsonLiteral(right)]
    : [termOf(right, at), jsonLiteral(left)];
  const meant = leftIsTerm ? type : FLIPPED[type];
  if (meant === undefined) return { field: term.field, expression: null };
  return onColumn(term, at.schema, (column, field) => comparison(meant, column, literal, field));
}

const UNTOLD: Tested = { field: null, expression: null };

function onColumn(
  term: FilterTerm,
  schema: Schema,
  make: (column: string, field: NestedField) => Expression | null,
): Tested {
  const { field, transformed } = term;
  const column = columnName(schema, field.id);
  // A column with a dot in its name and a field of a struct may share a path.
  if (transformed || findField(schema, column)?.id !== field.id) return { field, expression: null };
  return { field, expression: make(column, field) };
}

function setOf(
  type: 'in' | 'not-in',
  column: string,
  values: readonly JsonLiteral[],
  field: NestedField,
): Expression | null {
  // Engines do not agree on what is not in an empty set.
  if (values.length === 0 || values.length > MAX_PRUNING_LITERALS) return null;
  const literals = values.flatMap((value) => filterLiteral(value, field.type) ?? []);
  if (literals.length < values.length) return null;
  return { kind: type === 'in' ? 'in' : 'notIn', column, literals };
}

function comparison(
  type: PredicateType,
  column: string,
  value: JsonLiteral,
  field: NestedField,
): Expression | null {
  if (type === 'starts-with' || type === 'not-starts-with') {
    if (field.type !== 'string' || typeof value.value !== 'string') return null;
    return {
      kind: type === 'starts-with' ? 'startsWith' : 'notStartsWith',
      column,
      prefix: value.value,
    };
  }
  const literal = filterLiteral(value, field.type);
  if (literal === null || !isComparison(type)) return null;
  return { kind: KINDS[type], column, literal };
}

function isComparison(type: PredicateType): type is 'lt' | 'lt-eq' | 'gt' | 'gt-eq' | 'eq' | 'not-eq' {
  return Object.hasOwn(FLIPPED, type);
}

function refused(reason: string): LakeError {
  return new LakeError('invalid-argument', `Invalid filter: ${reason}`, {
    hint: 'Nothing was planned: write the filter as the REST spec has `Predicate`.',
  });
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? `"${value.slice(0, 100)}"`
    : value === undefined
      ? 'nothing'
      : typeof value;
}
