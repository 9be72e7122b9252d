import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import { fieldsById, type Schema } from '../iceberg/schema.ts';
import { parseTransform, timeRange } from '../iceberg/transforms.ts';
import type { Value } from '../iceberg/types.ts';
import { instantMs } from './zoned-time.ts';

const TIME_TRANSFORMS = new Set(['year', 'month', 'day', 'hour']);
/** Types whose values are points in time. */
export const TIME_TYPES: ReadonlySet<string> = new Set([
  'date',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
]);

/** True if some field of the spec tells the time of a partition's rows. */
export function isAged(spec: PartitionSpec, schema: Schema): boolean {
  return spec.fields.some((field) => isTimeField(field, schema));
}

/**
 * From when a partition ages: the upper end of the time range of its first field that tells a time, as ms
 * since 1970 UTC (day 2026-01-05 -> 2026-01-06T00:00). Null where the tuple tells none (null, or no such field).
 *
 * @param timezone the lake's time zone, for dates and timestamps without zone
 */
export function partitionEndMs(
  spec: PartitionSpec,
  schema: Schema,
  tuple: readonly Value[],
  timezone: string,
): number | null {
  const at = spec.fields.findIndex((field) => isTimeField(field, schema));
  const field = spec.fields[at];
  const type = field === undefined ? undefined : fieldsById(schema).get(field['source-id'])?.type;
  const value = tuple[at] ?? null;
  if (field === undefined || type === undefined || value === null) return null;
  const range = timeRange(parseTransform(field.transform), type, value);
  if (range === null) return null;
  return instantMs(range.endMicros, type, timezone);
}

function isTimeField(field: PartitionSpec['fields'][number], schema: Schema): boolean {
  const type = fieldsById(schema).get(field['source-id'])?.type;
  if (typeof type !== 'string' || !TIME_TYPES.has(type)) return false;
  return field.transform === 'identity' || TIME_TRANSFORMS.has(field.transform);
}
