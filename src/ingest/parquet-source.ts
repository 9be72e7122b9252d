import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Schema as ArrowSchema, type RecordBatch, tableFromIPC } from 'apache-arrow';
import { parquetMetadata } from 'hyparquet';
import { ParquetFile, type RecordBatch as WasmBatch } from 'parquet-wasm';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Schema } from '../iceberg/schema.ts';
import { arrowCell } from '../parquet/arrow-cell.ts';
import { sameArrowType } from '../parquet/arrow-schema.ts';
import type { Chunk, DecodedRow } from './decoded-row.ts';
import { fittedRow } from './fitted-row.ts';
import { type InputFile, reasonOf } from './input-bytes.ts';

const BATCH_ROWS = 65_536;

/** The rows of a Parquet file, by the names of its columns; one row group's columns are in memory at a time. Errors: `usage` for standard input and `.gz`, `not-found`, `corrupt`, `invalid-argument` for columns that do not fit. */
export async function* parquetRows(input: InputFile & { readonly schema: Schema }): AsyncGenerator<Chunk> {
  const { name, schema } = input;
  if (name === '-' || /\.gz$/i.test(name))
    throw new LakeError('usage', 'Parquet is read from its end: it must be a plain file', {
      hint: 'Save it under a name first. Nothing was committed.',
    });
  let record = 0;
  for await (const batch of parquetBatches(input)) {
    checkColumns(name, batch.schema, schema);
    if (fitsWhole(batch, schema)) yield { batch };
    else yield { rows: cellRows(name, batch, schema, record) };
    record += batch.numRows;
  }
}

async function* parquetBatches({ name, onBytes }: InputFile): AsyncGenerator<RecordBatch> {
  const size = await stat(name).catch((cause: unknown) => {
    throw new LakeError('not-found', `Cannot read ${name}: ${reasonOf(cause)}`, {
      hint: 'Nothing was committed.',
      cause,
    });
  });
  try {
    const blob = await openAsBlob(name);
    await checkFooter(blob);
    const file = await ParquetFile.fromFile(blob);
    const reader = (await file.stream({ batchSize: BATCH_ROWS, concurrency: 1 })).getReader();
    for (;;) {
      const { done, value }: { done: boolean; value?: WasmBatch } = await reader.read();
      if (done || !value) break;
      yield* tableFromIPC(value.intoIPCStream()).batches;
    }
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

/** Reads the footer by itself first: parquet-wasm does not come back from one that is damaged. */
async function checkFooter(blob: Blob): Promise<void> {
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
    const cells = schema.fields.map((field, i) => {
      const data = columns[i];
      try {
        return data ? arrowCell(field.type, data, row) : null;
      } catch (error) {
        if (!(error instanceof LakeError)) throw error;
        throw new LakeError(error.kind, `Column "${field.name}": ${error.message}`, {
          where: `${name}, record ${before + row + 1}`,
          hint: 'Nothing was committed. Write the file with the types of the table.',
          cause: error,
        });
      }
    });
    return fittedRow(schema, cells, before + row + 1);
  });
}
