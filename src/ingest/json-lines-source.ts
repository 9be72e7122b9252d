import { nearestName } from '../iceberg/nearest-name.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Cell } from '../parquet/cell.ts';
import type { Chunk, DecodedRow, RowProblem } from './decoded-row.ts';
import { isJsonObject, jsonCell, jsonText, parseJsonLine } from './json-value.ts';
import { type TextLine, textLines } from './text-lines.ts';
import { missingProblem, problemOf } from './text-value.ts';

/** The rows of a file of JSON lines: an object a line, by the names of the columns; columns that are not there are null. Empty lines are no rows. */
export async function* jsonLinesRows(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  schema: Schema,
): AsyncGenerator<Chunk> {
  const places = new Map(schema.fields.map((field, i) => [field.name, i]));
  for await (const lines of textLines(name, bytes)) {
    const rows = lines
      .filter((line) => line.text.trim() !== '')
      .map((line) => decodeLine(line, schema, places));
    if (rows.length > 0) yield { rows };
  }
}

function decodeLine(line: TextLine, schema: Schema, places: ReadonlyMap<string, number>): DecodedRow {
  const bad = (problems: readonly RowProblem[]): DecodedRow => ({
    line: line.line,
    problems,
    raw: line.text,
  });
  if (line.fault !== null) return bad([{ column: null, value: null, reason: line.fault }]);
  const { value, fault } = parseJsonLine(line.text);
  if (fault !== null) return bad([{ column: null, value: null, reason: fault }]);
  if (!isJsonObject(value)) return bad([{ column: null, value: null, reason: 'it is no JSON object' }]);
  const cells: Cell[] = new Array(schema.fields.length).fill(null);
  const problems: RowProblem[] = [];
  for (const key in value) {
    const at = places.get(key);
    if (at === undefined) {
      problems.push(unknownColumn(key, jsonText(value[key]), [...places.keys()]));
      continue;
    }
    try {
      cells[at] = jsonCell(schema.fields[at]!.type, value[key]);
    } catch (error) {
      problems.push(problemOf(key, error));
    }
  }
  schema.fields.forEach((field, at) => {
    if (field.required && cells[at] === null && !problems.some((problem) => problem.column === field.name))
      problems.push(missingProblem(field));
  });
  return problems.length === 0 ? { cells } : bad(problems);
}

function unknownColumn(name: string, value: string, names: readonly string[]): RowProblem {
  const near = nearestName(name, names);
  const hint = near === null ? `its columns are ${names.join(', ')}` : `did you mean "${near}"?`;
  return { column: name, value, reason: `the table has no such column; ${hint}` };
}
