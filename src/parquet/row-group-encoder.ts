import { type RecordBatch, Table, tableToIPC } from 'apache-arrow';
import {
  Compression,
  transformParquetStream,
  type RecordBatch as WasmBatch,
  Table as WasmTable,
  type WriterProperties,
  WriterPropertiesBuilder,
  writeParquet,
} from 'parquet-wasm';
import { LakeError } from '../errors.ts';

interface RowGroupLimit {
  readonly rows: number;
  readonly bytes: number;
}

function writerProperties(limit?: RowGroupLimit): WriterProperties {
  const builder = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).setCreatedBy('lakewarden');
  if (limit === undefined) return builder.build();
  return builder.setMaxRowGroupSize(limit.rows).setMaxRowGroupBytes(limit.bytes).build();
}

function toWasm(batch: RecordBatch): WasmTable {
  return WasmTable.fromIPCStream(tableToIPC(new Table([batch]), 'stream'));
}

/** A batch as a whole Parquet file. */
export function encodeWhole(batch: RecordBatch): Uint8Array {
  return guarded(() => writeParquet(toWasm(batch), writerProperties()));
}

/** Encodes batches as the row groups of one Parquet file, one after the other. */
export class RowGroupEncoder {
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #input: ReadableStreamDefaultController<WasmBatch> | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #reading: Promise<void> | null = null;
  #wanted = Promise.withResolvers<void>();
  #inside = 0;
  #encoded = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that came out so far. */
  get encodedBytes(): number {
    return this.#encoded;
  }

  /** Bytes held: what came out, and what went in and has not come out yet. */
  get bytes(): number {
    return this.#encoded + this.#inside;
  }

  /** Takes a batch that held `bytes` as Arrow columns; resolves when the encoder has it. */
  async push(batch: RecordBatch, bytes: number): Promise<void> {
    // The first batch decides the rows of a group, so that each later one pushes out a group.
    if (this.#reading === null) this.#start({ rows: batch.numRows, bytes: this.#maxBytes });
    const table = guarded(() => toWasm(batch));
    this.#inside += bytes;
    this.#wanted = Promise.withResolvers<void>();
    for (const part of table.recordBatches()) this.#input?.enqueue(part);
    table.free();
    await Promise.race([this.#wanted.promise, this.#reading]);
  }

  #start(limit: RowGroupLimit): void {
    const source = new ReadableStream<WasmBatch>(
      {
        start: (input) => {
          this.#input = input;
        },
        pull: () => this.#wanted.resolve(),
      },
      { highWaterMark: 0 },
    );
    this.#reading = this.#read(transformParquetStream(source, writerProperties(limit)));
    // Its failure is told by the call that awaits it.
    this.#reading.catch(() => undefined);
  }

  async #read(output: Promise<ReadableStream>): Promise<void> {
    try {
      this.#reader = (await output).getReader();
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        if (!value) continue;
        this.#chunks.push(value);
        this.#encoded += value.length;
        this.#inside = 0;
      }
    } catch (cause) {
      throw encodingFailed(cause);
    }
  }

  /** Ends the file and gives its bytes. */
  async finish(): Promise<Uint8Array> {
    this.#input?.close();
    await this.#reading;
    this.#inside = 0;
    return Buffer.concat(this.#chunks);
  }

  /** Gives up the file. */
  async cancel(): Promise<void> {
    this.#input?.error(new Error('given up'));
    await this.#reading?.catch(() => undefined);
  }
}

function guarded<T>(encode: () => T): T {
  try {
    return encode();
  } catch (cause) {
    throw encodingFailed(cause);
  }
}

function encodingFailed(cause: unknown): LakeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LakeError('internal', `The Parquet encoder failed: ${reason}`, {
    cause,
    hint: 'Nothing was committed.',
  });
}
