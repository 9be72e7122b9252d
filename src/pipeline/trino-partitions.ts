import { quoteName, quoteText } from '../engine/sql-text.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import { fieldsById, type Schema } from '../iceberg/schema.ts';
import { parseTransform, type Transform, timeRange } from '../iceberg/transforms.ts';
import { isPrimitive, type PrimitiveValue, primitiveKind, type Value } from '../iceberg/types.ts';
import { formatValue } from '../iceberg/values.ts';

/** Trino's writers refuse more partitions at once (`iceberg.max-partitions-per-writer`, by default). */
export const PARTITIONS_PER_STATEMENT = 100;

type Tuple = readonly Value[];

/**
 * Trino's conditions on a table's columns, each true for the rows of at most 100 of the partitions, together for all of them; one that is always true for a table
 * without partitions. Null where a partition cannot be told by a condition: by bucket and truncate, floating point, binary and times beyond the years 1 to 9999.
 */
export function partitionBatches(
  spec: PartitionSpec,
  schema: Schema,
  tuples: readonly Tuple[],
): string[] | null {
  if (spec.fields.every(({ transform }) => transform === 'void')) return tuples.length === 0 ? [] : ['true'];
  const conditions = tuples.map((tuple) => condition(spec, schema, tuple));
  if (!conditions.every((one) => one !== null)) return null;
  const batches: string[] = [];
  for (let at = 0; at < conditions.length; at += PARTITIONS_PER_STATEMENT) {
    batches.push(conditions.slice(at, at + PARTITIONS_PER_STATEMENT).join(' OR '));
  }
  return batches;
}

function condition(spec: PartitionSpec, schema: Schema, tuple: Tuple): string | null {
  const parts = spec.fields.map((field, at) => {
    const transform = parseTransform(field.transform);
    if (transform.kind === 'void') return 'true';
    const source = fieldsById(schema).get(field['source-id']);
    if (source === undefined || !isPrimitive(source.type)) return null;
    return equality(quoteName(source.name), source.type, transform, tuple[at] ?? null);
  });
  return parts.every((part) => part !== null) ? `(${parts.join(' AND ')})` : null;
}

/** True where the transform of the column is the value. */
function equality(column: string, type: string, transform: Transform, value: Value): string | null {
  if (value === null) return isTold(transform) ? `${column} IS NULL` : null;
  const range = isTold(transform) ? timeRange(transform, type, value) : null;
  if (range !== null) {
    const [from, to] = [range.startMicros, range.endMicros].map((micros) => timeLiteral(type, micros));
    return from == null || to == null ? null : `${column} >= ${from} AND ${column} < ${to}`;
  }
  if (transform.kind !== 'identity') return null;
  const literal = plainLiteral(type, value);
  return literal === null ? null : `${column} = ${literal}`;
}

function isTold({ kind }: Transform): boolean {
  return kind === 'identity' || kind === 'year' || kind === 'month' || kind === 'day' || kind === 'hour';
}

const MICROS_PER_DAY = 86_400_000_000n;
const FIRST_DAY = -719_162n;
const LAST_DAY = 2_932_896n;

/** A time as Trino's literal of the column's type; null outside of the years 1 to 9999. */
function timeLiteral(type: string, micros: bigint): string | null {
  if (micros < FIRST_DAY * MICROS_PER_DAY || micros > LAST_DAY * MICROS_PER_DAY) return null;
  const kind = primitiveKind(type);
  if (kind === 'date') return `DATE '${formatValue('date', Number(micros / MICROS_PER_DAY))}'`;
  const text = formatValue('timestamp', micros).replace('T', ' ');
  if (kind === 'timestamp') return `TIMESTAMP '${text}'`;
  return kind === 'timestamptz' ? `TIMESTAMP '${text} UTC'` : null;
}

function plainLiteral(type: string, value: PrimitiveValue): string | null {
  const kind = primitiveKind(type);
  const text = formatValue(type, value);
  if (kind === 'boolean' || kind === 'int' || kind === 'long') return text;
  if (kind === 'decimal') return `DECIMAL '${text}'`;
  if (kind === 'uuid') return `UUID '${text}'`;
  return kind === 'string' ? quoteText(text) : null;
}
