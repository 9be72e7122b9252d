import { Data, RecordBatch, type Schema, Struct } from 'apache-arrow';
import type { NestedField } from '../iceberg/types.ts';
import type { Cells } from './cell.ts';
import { ColumnBuilder } from './column-builder.ts';
import { encodeWhole, RowGroupEncoder } from './row-group-encoder.ts';

export interface OpenFileOptions {
  readonly fields: readonly NestedField[];
  readonly arrowSchema: Schema;
  /** Rows wait as Arrow columns until they hold so many bytes; then they are encoded. */
  readonly rowGroupBytes: number;
}

/** A Parquet file being written: columns that fill, row groups in the encoder, and the bytes that came out of it. */
export class OpenFile {
  readonly #options: OpenFileOptions;
  readonly #columns: readonly ColumnBuilder[];
  #encoder: RowGroupEncoder | null = null;
  #rows = 0;
  #nans = new Map<number, number>();

  constructor(options: OpenFileOptions) {
    this.#options = options;
    this.#columns = options.fields.map((field) => new ColumnBuilder(field));
  }

  /** Rows written to it so far. */
  get rows(): number {
    return this.#rows;
  }

  /** NaNs seen so far, by field id. */
  get nans(): ReadonlyMap<number, number> {
    return this.#nans;
  }

  /** Bytes held in memory: columns, what the encoder works on, encoded bytes. */
  get bytes(): number {
    return this.#pending + (this.#encoder?.bytes ?? 0);
  }

  /** Bytes of the file so far, as encoded; what still waits is not known yet. */
  get encodedBytes(): number {
    return this.#encoder?.encodedBytes ?? 0;
  }

  get #pending(): number {
    return this.#columns.reduce((sum, column) => sum + column.bytes, 0);
  }

  append(row: Cells): void {
    this.#columns.forEach((column, i) => {
      column.append(row[i] ?? null);
    });
    this.#rows++;
  }

  take(batch: readonly (Data | null)[], rows: Int32Array | null, length: number): void {
    this.#columns.forEach((column, i) => {
      const source = batch[i];
      if (source) column.take(source, rows);
      else for (let row = 0; row < (rows?.length ?? length); row++) column.append(null);
    });
    this.#rows += rows?.length ?? length;
  }

  /** Hands full columns to the encoder. */
  async settle(): Promise<void> {
    if (this.#pending < this.#options.rowGroupBytes) return;
    this.#encoder ??= new RowGroupEncoder(this.#options.rowGroupBytes);
    const bytes = this.#pending;
    await this.#encoder.push(this.#batch(), bytes);
  }

  /** The whole file. */
  async finish(): Promise<Uint8Array> {
    const last = (this.#columns[0]?.length ?? 0) > 0 ? this.#batch() : null;
    if (this.#encoder === null) return encodeWhole(last ?? this.#batch());
    if (last) await this.#encoder.push(last, 0);
    return this.#encoder.finish();
  }

  /** Lets go of the encoder without a file. */
  async abandon(): Promise<void> {
    await this.#encoder?.cancel();
  }

  #batch(): RecordBatch {
    const { arrowSchema, fields } = this.#options;
    const length = this.#columns[0]?.length ?? 0;
    const children = this.#columns.map((column) => column.finish());
    children.forEach((data, i) => {
      this.#countNans(fields[i]!, data);
    });
    return new RecordBatch(arrowSchema, structData(arrowSchema, length, children));
  }

  #countNans(field: NestedField, data: Data): void {
    if (field.type === 'float' || field.type === 'double') {
      const values: Float32Array | Float64Array = data.values;
      let nans = 0;
      for (let i = 0; i < data.length; i++) if (Number.isNaN(values[i]) && data.getValid(i)) nans++;
      this.#nans.set(field.id, (this.#nans.get(field.id) ?? 0) + nans);
    } else if (typeof field.type !== 'string' && field.type.type === 'struct') {
      field.type.fields.forEach((child, i) => {
        const below = data.children[i];
        if (below) this.#countNans(child, below);
      });
    }
  }
}

function structData(schema: Schema, length: number, children: Data[]): Data<Struct> {
  return new Data(new Struct(schema.fields), 0, length, 0, {}, children);
}
