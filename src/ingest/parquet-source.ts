import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Schema as ArrowSchema, RecordBatch } from 'apache-arrow';
import { parquetMetadata } from 'hyparquet';
import { isKind, LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Type } from '../iceberg/types.ts';
import { arrowCell } from '../parquet/arrow-cell.ts';
import { sameArrowType } from '../parquet/arrow-schema.ts';
import type { Cell } from '../parquet/cell.ts';
import { misfitValue } from './arrow-misfit.ts';
import type { Chunk, DecodedRow, RowProblem } from './decoded-row.ts';
import { fittedRow } from './fitted-row.ts';
import { type InputFile, reasonOf } from './input-bytes.ts';
import { threadBatches } from './parquet-thread.ts';

/** The rows of a Parquet file, by the names of its columns; one row group's columns are in memory at a time. Errors: `usage` for standard input and `.gz`, `not-found`, `corrupt`, `invalid-argument` for columns that do not fit. */
export async function* parquetRows(input: InputFile & { readonly schema: Schema }): AsyncGenerator<Chunk> {
  const { name, schema } = input;
  let record = 0;
  for await (const batch of parquetBatches(input)) {
    checkColumns(name, batch.schema, schema);
    if (fitsWhole(batch, schema)) yield { batch };
    else yield { rows: cellRows(name, batch, schema, record) };
    record += batch.numRows;
  }
}

/** The batches of a Parquet file: all rows that its footer tells of, or an error. Errors: `usage`, `not-found`, `corrupt`. */
export async function* parquetBatches({ name, onBytes }: InputFile): AsyncGenerator<RecordBatch> {
  if (name === '-' || /\.gz$/i.test(name))
    throw new LakeError('usage', 'Parquet is read from its end: it must be a plain file', {
      hint: 'Save it under a name first. Nothing was committed.',
    });
  const size = await stat(name).catch((cause: unknown) => {
    throw new LakeError('not-found', `Cannot read ${name}: ${reasonOf(cause)}`, {
      hint: 'Nothing was committed.',
      cause,
    });
  });
  try {
    const told = await checkFooter(await openAsBlob(name));
    let rows = 0n;
    for await (const batch of threadBatches(name)) {
      rows += BigInt(batch.numRows);
      yield batch;
    }
    if (rows !== told) throw new Error(`its footer tells of ${told} rows, and its pages hold ${rows}`);
    onBytes?.(size.size);
  } catch (cause) {
    if (cause instanceof LakeError) throw cause;
    throw new LakeError('corrupt', `Not a valid Parquet file: ${reasonOf(cause)}`, {
      where: name,
      hint: 'Nothing was committed. Fetch the file again.',
      cause,
    });
  }
}

const MAGIC = 'PAR1';
/** Magic, the footer's length, magic: no file is shorter. */
const LEAST_BYTES = 12;

/** Reads the footer by itself first, since it tells what is wrong better than parquet-wasm. Returns the number of rows. */
async function checkFooter(blob: Blob): Promise<bigint> {
  const magic = await blob.slice(0, 4).text();
  const end = Buffer.from(await blob.slice(-8).arrayBuffer());
  if (blob.size < LEAST_BYTES || magic !== MAGIC || end.toString('latin1', 4) !== MAGIC)
    throw new Error('it does not begin and end as a Parquet file does');
  const length = end.readUInt32LE(0);
  if (length > blob.size - LEAST_BYTES) throw new Error('its footer is longer than the file');
  const { num_rows: rows, row_groups: groups } = parquetMetadata(
    await blob.slice(blob.size - 8 - length).arrayBuffer(),
  );
  if (groups.reduce((sum, group) => sum + group.num_rows, 0n) !== rows)
    throw new Error('its row groups do not add up to its rows');
  return rows;
}

function checkColumns(name: string, arrow: ArrowSchema, schema: Schema): void {
  const names = schema.fields.map((field) => field.name);
  for (const field of arrow.fields) {
    if (names.includes(field.name)) continue;
    const byId = schema.fields.find((known) => String(known.id) === field.metadata.get('PARQUET:field_id'));
    const near = byId?.name ?? nearestName(field.name, names);
    throw new LakeError('invalid-argument', `The table has no column "${field.name}"`, {
      where: name,
      hint:
        near === null
          ? `Its columns are ${names.join(', ')}.`
          : `Did you mean "${near}"? --evolve adds new columns.`,
    });
  }
  const missing = schema.fields.find(
    (field) => field.required && !arrow.fields.some(({ name: n }) => n === field.name),
  );
  if (missing)
    throw new LakeError('invalid-argument', `The required column "${missing.name}" is missing`, {
      where: name,
      hint: 'Nothing was committed.',
    });
}

/** True if no value of the batch needs a look. */
function fitsWhole(batch: RecordBatch, schema: Schema): boolean {
  return batch.schema.fields.every((arrow, i) => {
    const field = schema.fields.find((known) => known.name === arrow.name);
    const data = batch.data.children[i];
    if (!field || !data || typeof field.type !== 'string') return false;
    return sameArrowType(arrow.type, field.type) && !(field.required && data.nullCount > 0);
  });
}

function cellRows(name: string, batch: RecordBatch, schema: Schema, before: number): DecodedRow[] {
  const columns = schema.fields.map((field) => batch.getChild(field.name)?.data[0] ?? null);
  return Array.from({ length: batch.numRows }, (_, row) => {
    const record = before + row + 1;
    const misfits = new Map<number, RowProblem>();
    const cells = schema.fields.map((field, i) => {
      const data = columns[i];
      if (!data) return null;
      try {
        return checkedLong(field.type, arrowCell(field.type, data, row));
      } catch (error) {
        const misfit = isKind(error, 'invalid-argument')
          ? misfitValue(field.name, field.type, data, row)
          : null;
        if (misfit === null) throw wrongColumn(error, field.name, `${name}, record ${record}`);
        misfits.set(i, misfit);
        return null;
      }
    });
    return fittedRow(schema, cells, record, misfits);
  });
}

/** Parquet's unsigned integers reach beyond a long. */
function checkedLong(type: Type, cell: Cell): Cell {
  if (type !== 'long' || typeof cell !== 'bigint' || BigInt.asIntN(64, cell) === cell) return cell;
  throw new LakeError('invalid-argument', `${cell} is no 64-bit integer`);
}

function wrongColumn(error: unknown, column: string, where: string): unknown {
  if (!(error instanceof LakeError)) return error;
  return new LakeError(error.kind, `Column "${column}": ${error.message}`, {
    where,
    hint: 'Nothing was committed. Write the file with the types of the table.',
    cause: error,
  });
}
