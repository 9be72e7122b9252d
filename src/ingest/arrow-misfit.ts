import { type Data, DataType } from 'apache-arrow';
import { describeType, fixedLength, type Type } from '../iceberg/types.ts';
import type { RowProblem } from './decoded-row.ts';

/**
 * The problem of a value that `arrowCell` refused, where other values of the same column would fit (an integer out of range, digits of a second that the type has no room for, bytes of another length).
 * Null where no value of the column can fit: that is a matter of the file, not of a row.
 */
export function misfitValue(column: string, type: Type, data: Data, index: number): RowProblem | null {
  if (typeof type !== 'string' || !holdsSome(type, data.type)) return null;
  const raw: unknown = data.values[index];
  const value = typeof raw === 'bigint' || typeof raw === 'number' ? String(raw) : null;
  if (value === null) return null;
  return {
    column,
    value,
    reason: `${JSON.stringify(value)} of the file's type ${String(data.type)} is not a value of type ${describeType(type)}: out of range, or of more digits`,
  };
}

function holdsSome(type: string, arrow: DataType): boolean {
  if (fixedLength(type) !== null) return false;
  if (DataType.isInt(arrow)) return type === 'int' || type === 'long';
  if (DataType.isTime(arrow)) return type === 'time';
  if (!DataType.isTimestamp(arrow)) return false;
  return type.startsWith('timestamp') && type.startsWith('timestamptz') === Boolean(arrow.timezone);
}
