import type { Schema } from '../iceberg/schema.ts';
import { avroRows } from './avro-source.ts';
import type { CsvOptions } from './csv-records.ts';
import { csvRows } from './csv-source.ts';
import type { Chunk } from './decoded-row.ts';
import type { IngestFormat } from './format.ts';
import { type InputFile, inputBytes } from './input-bytes.ts';
import { jsonLinesRows } from './json-lines-source.ts';
import { parquetRows } from './parquet-source.ts';

export interface RowsRequest extends InputFile {
  readonly format: IngestFormat;
  readonly schema: Schema;
  readonly csv: CsvOptions;
}

const readers: Record<IngestFormat, (request: RowsRequest) => AsyncIterable<Chunk>> = {
  csv: (request) => csvRows(request.name, inputBytes(request), request.schema, request.csv),
  jsonl: (request) => jsonLinesRows(request.name, inputBytes(request), request.schema),
  avro: (request) => avroRows(request.name, inputBytes(request), request.schema),
  parquet: (request) => parquetRows(request),
};

/** The rows of a file, decoded against a table's schema as they are read. Errors: `not-found`, `unavailable`, `corrupt`, `invalid-argument`. */
export function fileRows(request: RowsRequest): AsyncIterable<Chunk> {
  return readers[request.format](request);
}
