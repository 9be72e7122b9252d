import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { NestedField } from '../iceberg/types.ts';
import type { Cell } from '../parquet/cell.ts';
import { type CsvOptions, type CsvRecord, csvRecords } from './csv-records.ts';
import type { BadRow, Chunk, DecodedRow, RowProblem } from './decoded-row.ts';
import { escapedText } from './text-lines.ts';
import { missingProblem, problemOf, textCell } from './text-value.ts';

/**
 * The rows of a CSV file whose first line names its columns, in any order.
 *
 * @throws LakeError `invalid-argument` for a header that does not fit the table: unknown, doubled or missing required columns
 */
export async function* csvRows(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  schema: Schema,
  options: CsvOptions,
): AsyncGenerator<Chunk> {
  let decode: ((record: CsvRecord) => DecodedRow) | null = null;
  for await (const records of csvRecords(name, bytes, options)) {
    const rows: DecodedRow[] = [];
    for (const record of records) {
      if (decode === null) decode = rowDecoder(schema, headerFields(name, record, schema));
      else rows.push(decode(record));
    }
    if (rows.length > 0) yield { rows };
  }
  if (decode === null)
    throw new LakeError('invalid-argument', 'The file is empty: it has no line that names the columns', {
      where: name,
      hint: `The first line names columns of the table: ${schema.fields.map((field) => field.name).join(',')}.`,
    });
}

function headerFields(name: string, header: CsvRecord, schema: Schema): NestedField[] {
  const names = schema.fields.map((field) => field.name);
  const refuse = (message: string, column: number, hint: string): never => {
    throw new LakeError('invalid-argument', message, {
      where: `${name}, line ${header.line}, column ${column}`,
      hint,
    });
  };
  if (header.fault !== null)
    refuse(`The line that names the columns is broken: ${header.fault}`, 1, 'Mend the file.');
  const fields = header.fields.map((text, i) => {
    const field = schema.fields.find((candidate) => candidate.name === text);
    if (field) return field;
    const near = nearestName(text ?? '', names);
    return refuse(
      `The table has no column ${JSON.stringify(text ?? '')}`,
      i + 1,
      near === null
        ? `Its columns are ${names.join(', ')}.`
        : `Did you mean "${near}"? --evolve adds new columns.`,
    );
  });
  fields.forEach((field, i) => {
    if (fields.indexOf(field) !== i)
      refuse(`The column "${field.name}" is named twice`, i + 1, 'Rename one of them.');
  });
  const missing = schema.fields.find((field) => field.required && !fields.includes(field));
  if (missing)
    refuse(
      `The required column "${missing.name}" is missing`,
      1,
      `The file has ${fields.map((f) => f.name).join(', ')}.`,
    );
  return fields;
}

function rowDecoder(schema: Schema, fields: readonly NestedField[]): (record: CsvRecord) => DecodedRow {
  const places = fields.map((field) => schema.fields.indexOf(field));
  return (record) => {
    if (record.fault !== null) return badRow(record, [{ column: null, value: null, reason: record.fault }]);
    if (record.fields.length !== fields.length) {
      const reason = `it has ${record.fields.length} fields; the first line names ${fields.length} columns`;
      return badRow(record, [{ column: null, value: null, reason }]);
    }
    const cells: Cell[] = new Array(schema.fields.length).fill(null);
    const problems: RowProblem[] = [];
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const text = record.fields[i] ?? null;
      try {
        if (text !== null) cells[places[i]!] = textCell(field.type, text);
        else if (field.required) problems.push(missingProblem(field));
      } catch (error) {
        problems.push(problemOf(field.name, error));
      }
    }
    return problems.length === 0 ? { cells } : badRow(record, problems);
  };
}

function badRow(record: CsvRecord, problems: readonly RowProblem[]): BadRow {
  const broken = record.fault?.includes('UTF-8');
  return { line: record.line, problems, raw: broken ? escapedText(record.raw) : record.raw.toString('utf8') };
}
