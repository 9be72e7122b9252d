import { describeType, type NestedField, primitiveKind, type Type } from '../iceberg/types.ts';
import { parseValue, valueFromJson } from '../iceberg/values.ts';
import type { Cell } from '../parquet/cell.ts';
import type { RowProblem } from './decoded-row.ts';
import { shown } from './decoded-row.ts';
import { jsonCell, parseJsonLine } from './json-value.ts';
import { Misfit, misfitOf } from './misfit.ts';

/** The problem of a row that a thrown misfit tells. Anything else is thrown on. */
export function problemOf(column: string, error: unknown): RowProblem {
  if (!(error instanceof Misfit)) throw error;
  return { column, value: error.value, reason: `${JSON.stringify(shown(error.value))} ${error.message}` };
}

/** What a required column without a value is told. */
export function missingProblem(field: NestedField): RowProblem {
  return {
    column: field.name,
    value: null,
    reason: `there is no value, and the column of type ${describeType(field.type)} is required`,
  };
}

/**
 * A text as a value of a column: strictly, as people and databases write it. A timestamptz needs its offset, a timestamp must not have one; a nested type is JSON.
 *
 * @throws Misfit
 */
export function textCell(type: Type, text: string): Cell {
  if (typeof type !== 'string') {
    const json = parseJsonLine(text);
    if (json.fault !== null) throw new Misfit(text, type, `write it as JSON (${json.fault})`);
    return jsonCell(type, json.value);
  }
  return misfitOf(type, text, () =>
    primitiveKind(type).startsWith('timestamptz')
      ? valueFromJson(type, text.replace(' ', 'T'))
      : parseValue(type, text),
  );
}
