import { DataType, type RecordBatch, type Schema, Table, tableToIPC } from 'apache-arrow';
import { Compression, Table as WasmTable, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm';

/** A batch as the encoder takes it: an Arrow stream. */
export function ipcOf(batch: RecordBatch): Uint8Array {
  return tableToIPC(new Table([batch]), 'stream');
}

/** Values that the encoder takes at a time: of 1,024, its default, each call costs more than its values. */
const VALUES_AT_ONCE = 8192;

/**
 * An Arrow stream as a Parquet file of one row group (more above 1,048,576 rows), zstd, with statistics and page indexes.
 *
 * @param plain top-level columns that get no dictionary
 * @throws the encoder's own errors
 */
export function encodeRowGroup(ipc: Uint8Array, plain: readonly string[]): Uint8Array {
  let properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setWriteBatchSize(VALUES_AT_ONCE)
    .setCreatedBy('lakewarden');
  for (const column of plain) properties = properties.setColumnDictionaryEnabled(column, false);
  return writeParquet(WasmTable.fromIPCStream(ipc), properties.build());
}

/** Columns whose values hardly repeat: a dictionary of instants takes longer and is larger than the instants. */
export function plainColumns(schema: Schema): string[] {
  return schema.fields.filter((field) => DataType.isTimestamp(field.type)).map((field) => field.name);
}

/** Bytes that fill their buffer, so that it can be handed over; a copy if they do not. */
export function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return isOwn ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
