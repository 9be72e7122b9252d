import type { DuckDBValue } from '@duckdb/node-api';
import { DuckDBMapValue } from '@duckdb/node-api';
import type { Schema } from '../iceberg/schema.ts';
import type { NestedField, PrimitiveType, PrimitiveValue } from '../iceberg/types.ts';
import { parseValue } from '../iceberg/values.ts';

/** What the engine says of one leaf column of a file that it wrote. */
export interface ColumnStats {
  readonly field: NestedField;
  readonly type: PrimitiveType;
  /** Names from the top, for SQL. */
  readonly path: readonly string[];
  /** Leaves inside lists and maps have sizes only: their values are not the table's rows. */
  readonly repeated: boolean;
  readonly columnSize: number;
  readonly valueCount: number;
  readonly nullCount: number;
  readonly hasNan: boolean;
  readonly min?: PrimitiveValue;
  readonly max?: PrimitiveValue;
}

interface Leaf {
  readonly field: NestedField;
  readonly type: PrimitiveType;
  readonly path: readonly string[];
  readonly repeated: boolean;
}

const element = (id: number, name: string, type: NestedField['type']): NestedField => ({
  id,
  name,
  required: false,
  type,
});

function* leavesOf(field: NestedField, above: readonly string[], repeated: boolean): Iterable<Leaf> {
  const { type } = field;
  const path = [...above, field.name];
  if (typeof type === 'string') yield { field, type, path, repeated };
  else if (type.type === 'struct') for (const child of type.fields) yield* leavesOf(child, path, repeated);
  else if (type.type === 'list')
    yield* leavesOf(element(type['element-id'], 'element', type.element), path, true);
  else {
    yield* leavesOf(element(type['key-id'], 'key', type.key), path, true);
    yield* leavesOf(element(type['value-id'], 'value', type.value), path, true);
  }
}

/** The leaf columns of a schema in Parquet's order, by their quoted path as COPY's statistics name them. */
export function schemaLeaves(schema: Pick<Schema, 'fields'>): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const field of schema.fields) {
    for (const leaf of leavesOf(field, [], false)) {
      leaves.set(leaf.path.map((name) => `"${name.replaceAll('"', '""')}"`).join('.'), leaf);
    }
  }
  return leaves;
}

/** A bound as COPY writes it. Undefined where the text has no Iceberg form (years before Christ): no bound is a safe bound. */
function parseStat(type: PrimitiveType, text: string): PrimitiveValue | undefined {
  if (type === 'string') return text;
  if (type === 'boolean') return text === 'true' || text === '1';
  if (type === 'binary' || type.startsWith('fixed')) return Uint8Array.from(Buffer.from(text, 'hex'));
  if (type === 'float' || type === 'double') return Number(text.replace(/^(-?)inf$/, '$1Infinity'));
  if (text.includes('BC') || text.includes('infinity')) return undefined;
  if (!type.startsWith('timestamp')) return parseValue(type, text);
  const zoned = type.startsWith('timestamptz') ? text.replace(/[+-]\d\d(:\d\d)?$/, '+00:00') : text;
  return parseValue(type, zoned.replace(' ', 'T'));
}

/** A bound of a float: engines and statistics do not tell -0 from 0, but Iceberg's order does (spec: "Manifests", note 2): widen to hold both. */
export function widenZero<T extends PrimitiveValue | null | undefined>(
  type: PrimitiveType,
  value: T,
  lower: boolean,
): T | number {
  return value === 0 && (type === 'float' || type === 'double') ? (lower ? -0 : 0) : value;
}

function entriesOf(value: DuckDBValue | undefined): [string, DuckDBValue][] {
  return value instanceof DuckDBMapValue
    ? value.entries.map((entry) => [String(entry.key), entry.value])
    : [];
}

function columnStats(leaf: Leaf, stats: ReadonlyMap<string, string>): ColumnStats {
  const count = (key: string): number => Number(stats.get(key) ?? 0);
  const bound = (key: 'min' | 'max'): PrimitiveValue | undefined => {
    const text = stats.get(key);
    const value = text === undefined ? undefined : parseStat(leaf.type, text);
    return widenZero(leaf.type, value, key === 'min');
  };
  const [min, max] = [bound('min'), bound('max')];
  return {
    ...leaf,
    columnSize: count('column_size_bytes'),
    valueCount: count('num_values'),
    nullCount: count('null_count'),
    hasNan: stats.get('has_nan') === 'true',
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

/** Reads the `column_statistics` that COPY returns for a file. */
export function readColumnStats(
  leaves: ReadonlyMap<string, Leaf>,
  statistics: DuckDBValue | undefined,
): ColumnStats[] {
  const found: ColumnStats[] = [];
  for (const [name, value] of entriesOf(statistics)) {
    const leaf = leaves.get(name);
    if (leaf)
      found.push(columnStats(leaf, new Map(entriesOf(value).map(([key, text]) => [key, String(text)]))));
  }
  return found;
}
