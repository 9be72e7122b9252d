import { isKind } from '../errors.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Type } from '../iceberg/types.ts';
import { formatValue } from '../iceberg/values.ts';
import type { Cell, Cells } from '../parquet/cell.ts';
import { ColumnBuilder } from '../parquet/column-builder.ts';
import { unmarked } from './avro-text.ts';
import type { DecodedRow, RowProblem } from './decoded-row.ts';
import { missingProblem } from './text-value.ts';

const NONE: ReadonlyMap<number, RowProblem> = new Map();

/** A row of typed values as it comes from Avro or Parquet: good if required columns have values that their types hold, and none of its values (`misfits`, by column) was refused. */
export function fittedRow(
  schema: Schema,
  cells: Cells,
  record: number,
  misfits: ReadonlyMap<number, RowProblem> = NONE,
): DecodedRow {
  const problems: RowProblem[] = [];
  schema.fields.forEach((field, i) => {
    const cell = cells[i] ?? null;
    const misfit = misfits.get(i);
    if (misfit) problems.push(misfit);
    else if (cell === null && field.required) problems.push(missingProblem(field));
    else if (cell !== null && needsCheck(field.type)) {
      const reason = checkCell(field, cell);
      if (reason !== null) problems.push({ column: field.name, value: cellText(field.type, cell), reason });
    }
  });
  return problems.length === 0 ? { cells } : { line: record, problems, raw: rowText(schema, cells, misfits) };
}

/** Types whose values a file's own type does not hold to: nulls and ranges within, decimals, texts. */
function needsCheck(type: Type): boolean {
  return typeof type !== 'string' || type.startsWith('decimal') || type === 'string' || type === 'uuid';
}

function checkCell(field: Schema['fields'][number], cell: Cell): string | null {
  try {
    if (!isWellFormed(cell)) return 'it is not valid Unicode';
    if (field.type === 'string') return null;
    new ColumnBuilder(field).append(cell);
    return null;
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return error.message;
    throw error;
  }
}

function isWellFormed(cell: Cell): boolean {
  if (typeof cell === 'string') return cell.isWellFormed();
  return !Array.isArray(cell) || cell.every(isWellFormed);
}

function cellText(type: Type, cell: Cell): string {
  if (cell === null) return 'null';
  if (typeof cell === 'string') return unmarked(cell);
  if (typeof type === 'string' && !Array.isArray(cell)) {
    try {
      return formatValue(type, cell as Exclude<typeof cell, readonly Cell[]>);
    } catch {
      return String(cell);
    }
  }
  return JSON.stringify(cell, (_key, item: unknown) =>
    typeof item === 'bigint'
      ? item.toString()
      : item instanceof Uint8Array
        ? Buffer.from(item).toString('hex')
        : typeof item === 'string'
          ? unmarked(item)
          : item,
  );
}

/** A row as JSON by the names of its columns. */
function rowText(schema: Schema, cells: Cells, misfits: ReadonlyMap<number, RowProblem>): string {
  return JSON.stringify(
    Object.fromEntries(
      schema.fields.map((field, i) => {
        const cell = cells[i] ?? null;
        return [field.name, cell === null ? (misfits.get(i)?.value ?? null) : cellText(field.type, cell)];
      }),
    ),
  );
}
