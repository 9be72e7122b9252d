import { type ComparisonKind, type Expression, FLIPPED, type Literal } from '../iceberg/expressions.ts';
import { findField, type Schema } from '../iceberg/schema.ts';
import { decimalParameters, type NestedField, type PrimitiveKind, primitiveKind } from '../iceberg/types.ts';

/** A node of a plan as DuckDB's `json_serialize_plan` gives it. */
export type PlanNode = Readonly<Record<string, unknown>>;

export const isNode = (value: unknown): value is PlanNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const nodesOf = (value: unknown): PlanNode[] => (Array.isArray(value) ? value.filter(isNode) : []);

/** The column that a reference of the plan means; undefined for one that is none of the table's. */
export type ColumnOf = (reference: PlanNode) => NestedField | undefined;

const EVERY_ROW: Expression = { kind: 'true' };

const COMPARISONS: Readonly<Record<string, ComparisonKind>> = {
  COMPARE_EQUAL: 'eq',
  COMPARE_NOTEQUAL: 'notEq',
  COMPARE_LESSTHAN: 'lt',
  COMPARE_LESSTHANOREQUALTO: 'ltEq',
  COMPARE_GREATERTHAN: 'gt',
  COMPARE_GREATERTHANOREQUALTO: 'gtEq',
};

/** Iceberg's kinds whose values compare in DuckDB as they do here, with DuckDB's name of the type. */
const KINDS: Partial<Readonly<Record<PrimitiveKind, string>>> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  decimal: 'DECIMAL',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  string: 'VARCHAR',
};

/** Turns conditions of a plan into expressions over a table's columns. */
export class PlanExpressions {
  readonly #schema: Schema;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  /** What a row must meet for the condition to select it: parts that are not understood are left out, so that it may let more rows through. */
  needed(condition: PlanNode, columnOf: ColumnOf): Expression {
    const children = nodesOf(condition['children']);
    if (condition['type'] === 'CONJUNCTION_AND') {
      return { kind: 'and', children: children.map((child) => this.needed(child, columnOf)) };
    }
    if (condition['type'] === 'CONJUNCTION_OR') {
      return { kind: 'or', children: children.map((child) => this.needed(child, columnOf)) };
    }
    return this.#exact(condition, columnOf) ?? EVERY_ROW;
  }

  /** The same for a filter that DuckDB has put into the scan of a column. */
  neededOfColumn(filter: PlanNode, field: NestedField): Expression {
    const below = nodesOf(filter['child_filters']).map((child) => this.neededOfColumn(child, field));
    switch (filter['filter_type']) {
      case 'CONJUNCTION_AND':
        return { kind: 'and', children: below };
      case 'CONJUNCTION_OR':
        return { kind: 'or', children: below };
      case 'CONSTANT_COMPARISON':
        return this.#comparison(filter['comparison_type'], field, filter['constant']) ?? EVERY_ROW;
      case 'IS_NULL':
      case 'IS_NOT_NULL':
        return (
          this.#column(field, (column) => ({
            kind: filter['filter_type'] === 'IS_NULL' ? 'isNull' : 'notNull',
            column,
          })) ?? EVERY_ROW
        );
      case 'EXPRESSION_FILTER':
        return isNode(filter['expr']) ? this.needed(filter['expr'], () => field) : EVERY_ROW;
      default:
        return EVERY_ROW;
    }
  }

  /** The expression that is true, false and unknown for the same rows as the condition; null where that is not certain. */
  #exact(condition: PlanNode, columnOf: ColumnOf): Expression | null {
    const children = nodesOf(condition['children']);
    switch (condition['type']) {
      case 'CONJUNCTION_AND':
      case 'CONJUNCTION_OR': {
        const all = children.map((child) => this.#exact(child, columnOf));
        const known = all.filter((child) => child !== null);
        const kind = condition['type'] === 'CONJUNCTION_AND' ? 'and' : 'or';
        return known.length === all.length && all.length > 0 ? { kind, children: known } : null;
      }
      case 'OPERATOR_NOT': {
        const child = children[0] && this.#exact(children[0], columnOf);
        return child ? { kind: 'not', child } : null;
      }
      case 'OPERATOR_IS_NULL':
      case 'OPERATOR_IS_NOT_NULL':
        return this.#column(referenced(children[0], columnOf), (column) => ({
          kind: condition['type'] === 'OPERATOR_IS_NULL' ? 'isNull' : 'notNull',
          column,
        }));
      case 'COMPARE_IN':
      case 'COMPARE_NOT_IN':
        return this.#set(condition['type'] === 'COMPARE_IN', children, columnOf);
      case 'COMPARE_BETWEEN':
        return this.#between(condition, columnOf);
      case 'BOUND_FUNCTION':
        return this.#prefix(condition, columnOf);
      case 'BOUND_REF':
        return this.#column(referenced(condition, columnOf), (column, field) =>
          field.type === 'boolean' ? { kind: 'eq', column, literal: true } : null,
        );
      default:
        return this.#sides(condition, columnOf);
    }
  }

  #sides({ type, left, right }: PlanNode, columnOf: ColumnOf): Expression | null {
    const own = referenced(left, columnOf);
    if (own) return this.#comparison(type, own, constantOf(right));
    const kind = COMPARISONS[String(type)];
    const other = referenced(right, columnOf);
    const compared = other && kind && this.#comparison(type, other, constantOf(left));
    return compared && 'literal' in compared ? { ...compared, kind: FLIPPED[kind] } : null;
  }

  #between(condition: PlanNode, columnOf: ColumnOf): Expression | null {
    const field = referenced(condition['input'], columnOf);
    if (!field) return null;
    const bound = (side: string, strict: string, inclusive: string) =>
      this.#comparison(
        condition[`${side}_inclusive`] === true ? inclusive : strict,
        field,
        constantOf(condition[side]),
      );
    const lower = bound('lower', 'COMPARE_GREATERTHAN', 'COMPARE_GREATERTHANOREQUALTO');
    const upper = bound('upper', 'COMPARE_LESSTHAN', 'COMPARE_LESSTHANOREQUALTO');
    return lower && upper ? { kind: 'and', children: [lower, upper] } : null;
  }

  #set(isIn: boolean, [first, ...rest]: readonly PlanNode[], columnOf: ColumnOf): Expression | null {
    const field = referenced(first, columnOf);
    if (!field || rest.length === 0) return null;
    const literals = rest.map((item) => literalOf(field, constantOf(item)));
    const known = literals.filter((literal) => literal !== null);
    if (known.length < literals.length) return null;
    return this.#column(field, (column) => ({ kind: isIn ? 'in' : 'notIn', column, literals: known }));
  }

  #prefix(call: PlanNode, columnOf: ColumnOf): Expression | null {
    const [first, second] = nodesOf(call['children']);
    const field = referenced(first, columnOf);
    const text = field?.type === 'string' ? literalOf(field, constantOf(second)) : null;
    if (call['name'] !== 'prefix' || typeof text !== 'string') return null;
    return this.#column(field, (column) => ({ kind: 'startsWith', column, prefix: text }));
  }

  #comparison(type: unknown, field: NestedField, constant: unknown) {
    const kind = COMPARISONS[String(type)];
    const literal = literalOf(field, constant);
    if (kind === undefined || literal === null) return null;
    return this.#column(field, (column) => ({ kind, column, literal }));
  }

  /** An expression on a column that its name leads to and to no other. */
  #column<E>(field: NestedField | undefined, make: (name: string, field: NestedField) => E): E | null {
    if (!field || KINDS[primitiveKind(field.type)] === undefined) return null;
    return findField(this.#schema, field.name)?.id === field.id ? make(field.name, field) : null;
  }
}

/** The column that is meant, if DuckDB has it in the type that belongs to it. */
function referenced(node: unknown, columnOf: ColumnOf): NestedField | undefined {
  if (!isNode(node) || node['type'] !== 'BOUND_REF') return undefined;
  const field = columnOf(node);
  return field && isOfType(field, node['return_type']) ? field : undefined;
}

const constantOf = (node: unknown): unknown =>
  isNode(node) && node['type'] === 'VALUE_CONSTANT' ? node['value'] : undefined;

function isOfType({ type }: NestedField, duckDb: unknown): boolean {
  if (!isNode(duckDb) || typeof type !== 'string' || KINDS[primitiveKind(type)] !== duckDb['id'])
    return false;
  const decimal = decimalParameters(type);
  const info = duckDb['type_info'];
  return (
    decimal === null ||
    (isNode(info) && info['width'] === decimal.precision && info['scale'] === decimal.scale)
  );
}

const BIG = 1n << 64n;

/** A constant of the column's own type as a value in memory; null for others, and for NULL. */
function literalOf(field: NestedField, constant: unknown): Literal | null {
  if (!isNode(constant) || constant['is_null'] !== false || !isOfType(field, constant['type'])) return null;
  const { value } = constant;
  switch (primitiveKind(field.type)) {
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'string':
      return typeof value === 'string' ? value : null;
    case 'int':
    case 'date':
    case 'float':
    case 'double':
      return typeof value === 'number' ? value : null;
    default:
      return integerOf(value);
  }
}

function integerOf(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  if (!isNode(value)) return null;
  const [upper, lower] = [integerOf(value['upper']), integerOf(value['lower'])];
  return upper === null || lower === null ? null : upper * BIG + lower;
}
