import type { DataFile } from '../iceberg/manifest.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { columnName, fieldsById, findField, type Schema } from '../iceberg/schema.ts';
import { timeRange } from '../iceberg/transforms.ts';
import { describeType, type Type } from '../iceberg/types.ts';
import { decodeValue } from '../iceberg/value-binary.ts';
import { TIME_TYPES } from './partition-age.ts';
import { instantMs } from './zoned-time.ts';

/** A column whose values tell when rows happened. */
export interface AgeColumn {
  readonly id: number;
  readonly name: string;
  readonly type: Type;
}

/** The column that ages a table, or why it cannot. */
export function ageColumn(schema: Schema, name: string): AgeColumn | { readonly why: string } {
  const field = findField(schema, name);
  if (field === null) {
    const names = [...fieldsById(schema).keys()].map((id) => columnName(schema, id));
    const near = nearestName(name, names);
    return { why: `it has no column "${name}"${near === null ? '' : ` (did you mean "${near}"?)`}` };
  }
  const { id, type } = field;
  if (typeof type === 'string' && TIME_TYPES.has(type)) return { id, name, type };
  return { why: `its column "${name}" is a ${describeType(type)}, not a date or timestamp` };
}

/**
 * From when a file ages by a column: the upper bound of the column in the file's metrics, as ms since 1970 UTC (a date counts to
 * its end). No row of the file is later. Null where the file has no bound.
 *
 * @param timezone the lake's time zone, for dates and timestamps without zone
 */
export function columnEndMs(column: AgeColumn, file: DataFile, timezone: string): number | null {
  const bound = file.upperBounds?.get(column.id);
  if (bound === undefined) return null;
  const range = timeRange({ kind: 'identity' }, column.type, decodeValue(column.type, bound));
  return range === null ? null : instantMs(range.endMicros, column.type, timezone);
}
