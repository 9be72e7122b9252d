import { quoteName, quoteText } from '../engine/sql-text.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import { fieldsById, type Schema } from '../iceberg/schema.ts';

/** Times from (in) to (out), ms since 1970; a column without zone is read as UTC. */
export interface TimeRange {
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

type Unit = 'hour' | 'day' | 'month' | 'year';

const UNITS: readonly Unit[] = ['hour', 'day', 'month', 'year'];

/**
 * The condition (` WHERE …` on the columns of `q`) that leaves the rows of the partitions that a range touches, whole
 * partitions always; empty where there is no range, or the table has no partitions by time.
 */
export function rangeFilter(range: TimeRange | null, spec: PartitionSpec, schema: Schema): string {
  const field = range === null ? null : timeField(spec, schema);
  if (range === null || field === null) return '';
  const column = `CAST(q.${quoteName(field.column)} AS TIMESTAMP)`;
  const time = (ms: number) => `CAST(${quoteText(new Date(ms).toISOString().slice(0, 23))} AS TIMESTAMP)`;
  const conditions = [
    ...(range.fromMs === null ? [] : [`${column} >= ${time(floorTo(field.unit, range.fromMs))}`]),
    ...(range.toMs === null ? [] : [`${column} < ${time(ceilTo(field.unit, range.toMs))}`]),
  ];
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function timeField(spec: PartitionSpec, schema: Schema): { column: string; unit: Unit } | null {
  const fields = fieldsById(schema);
  for (const { transform, 'source-id': id } of spec.fields) {
    const source = fields.get(id);
    const unit = UNITS.find((name) => name === transform);
    if (source === undefined) continue;
    if (unit !== undefined) return { column: source.name, unit };
    if (transform === 'identity' && source.type === 'date') return { column: source.name, unit: 'day' };
  }
  return null;
}

function floorTo(unit: Unit, ms: number): number {
  const at = new Date(ms);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  if (unit === 'year') return Date.UTC(year, 0);
  if (unit === 'month') return Date.UTC(year, month);
  if (unit === 'day') return Date.UTC(year, month, at.getUTCDate());
  return Date.UTC(year, month, at.getUTCDate(), at.getUTCHours());
}

function ceilTo(unit: Unit, ms: number): number {
  const floor = floorTo(unit, ms);
  if (floor === ms) return ms;
  const at = new Date(floor);
  if (unit === 'year') return Date.UTC(at.getUTCFullYear() + 1, 0);
  if (unit === 'month') return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1);
  return floor + (unit === 'day' ? 86_400_000 : 3_600_000);
}
