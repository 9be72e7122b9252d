import { Data, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { LakeError } from '../errors.ts';
import type { NestedField } from '../iceberg/types.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Cells } from './cell.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { ColumnBuilder } from './column-builder.ts';
import type { HeldBytes } from './held-bytes.ts';
import { ParquetAssembly } from './parquet-assembly.ts';
import type { ThriftStruct } from './thrift-compact.ts';

export interface OpenFileOptions {
  readonly fields: readonly NestedField[];
  readonly arrowSchema: Schema;
  /** Field ids of uuid columns, nested ones too. */
  readonly uuids: ReadonlySet<number>;
  /** Rows wait as Arrow columns until they hold so many bytes; then they are encoded as a row group. */
  readonly rowGroupBytes: number;
  /** What an upload under way is taken to hold, in bytes. */
  readonly uploadBytes: number;
  readonly location: string;
  readonly objects: ObjectStore;
  readonly held: HeldBytes;
  /** Makes a Parquet file of a batch that holds so many bytes. */
  readonly encode: (batch: RecordBatch, bytes: number) => Promise<Uint8Array>;
  /** Told when a row group could not be encoded or stored; `finish` throws the same. */
  readonly onFailure: (error: unknown) => void;
}

/** A file that is stored for good. */
export interface StoredParquet {
  readonly footer: ThriftStruct;
  /** Bytes. */
  readonly size: number;
}

/** So many row groups of a file may wait for the encoder; who writes more waits. */
const GROUPS_AHEAD = 6;

interface Upload {
  readonly queue: ChunkQueue;
  readonly done: Promise<void>;
}

/** A Parquet file being written: columns that fill; row groups in the encoders; and, from the first full row group on, an upload that takes each as it is done. */
export class OpenFile {
  readonly #options: OpenFileOptions;
  readonly #columns: readonly ColumnBuilder[];
  readonly #assembly: ParquetAssembly;
  readonly #nans = new Map<number, number>();
  readonly #whole: Uint8Array[] = [];
  #upload: Upload | null = null;
  #written: Promise<void> = Promise.resolve();
  #rows = 0;
  #filling = 0;
  #groups = 0;
  #ahead = 0;
  #ending = false;

  constructor(options: OpenFileOptions) {
    this.#options = options;
    this.#columns = options.fields.map((field) => new ColumnBuilder(field));
    this.#assembly = new ParquetAssembly(options.uuids);
  }

  /** Rows written to it so far. */
  get rows(): number {
    return this.#rows;
  }

  /** NaNs seen so far, by field id. */
  get nans(): ReadonlyMap<number, number> {
    return this.#nans;
  }

  /** Bytes that closing the file would set free: its columns, and its upload. */
  get bytes(): number {
    return this.#filling + (this.#upload === null ? 0 : this.#options.uploadBytes);
  }

  /** Bytes of the file so far, as encoded; what waits is not known yet. */
  get encodedBytes(): number {
    return this.#assembly.length;
  }

  append(rows: readonly Cells[], indexes: Int32Array | null): void {
    const columns = this.#columns;
    const count = indexes?.length ?? rows.length;
    for (let i = 0; i < count; i++) {
      const row = rows[indexes ? indexes[i]! : i]!;
      for (let at = 0; at < columns.length; at++) columns[at]!.append(row[at] ?? null);
    }
    this.#added(count);
  }

  take(batch: readonly (Data | null)[], rows: Int32Array | null, length: number): void {
    const count = rows?.length ?? length;
    this.#columns.forEach((column, i) => {
      const source = batch[i];
      if (source) column.take(source, rows);
      else for (let row = 0; row < count; row++) column.append(null);
    });
    this.#added(count);
  }

  #added(rows: number): void {
    this.#rows += rows;
    const bytes = this.#columns.reduce((sum, column) => sum + column.bytes, 0);
    this.#options.held.fill(bytes - this.#filling);
    this.#filling = bytes;
  }

  /** Hands full columns to the encoder; waits if it is too far behind. */
  async settle(): Promise<void> {
    if (this.#columns.reduce((sum, column) => sum + column.used, 0) < this.#options.rowGroupBytes) return;
    this.#flush();
    if (this.#ahead > GROUPS_AHEAD) await this.#written;
  }

  #flush(): void {
    const bytes = this.#filling;
    const encoded = this.#options.encode(this.#batch(), bytes);
    this.#filling = 0;
    this.#options.held.leave(bytes);
    this.#groups++;
    this.#ahead++;
    // Its failure is told by the write below, in its turn.
    encoded.catch(() => undefined);
    this.#written = this.#write(this.#written, encoded, bytes);
    this.#written.catch(this.#options.onFailure);
  }

  /** Writes a row group once those before it are written. */
  async #write(before: Promise<void>, encoded: Promise<Uint8Array>, bytes: number): Promise<void> {
    const { held } = this.#options;
    try {
      await before;
      this.#emit(this.#assembly.add(await encoded));
    } finally {
      this.#ahead--;
      held.move(-bytes);
    }
  }

  #emit(bytes: Uint8Array): void {
    this.#options.held.move(bytes.length);
    if (this.#upload === null && this.#ending) {
      this.#whole.push(bytes);
      return;
    }
    this.#upload ??= this.#startUpload();
    this.#upload.queue.push(bytes);
  }

  #startUpload(): Upload {
    const { objects, location, held, uploadBytes, onFailure } = this.#options;
    held.move(uploadBytes);
    const queue = new ChunkQueue((bytes) => held.move(-bytes));
    const done = objects.upload(location, queue).then(
      () => undefined,
      (error: unknown) => {
        onFailure(error);
        throw error;
      },
    );
    done.catch(() => undefined);
    return { queue, done };
  }

  /** Stores the file. Errors: `unavailable` and others of the store, `internal` of the encoder. */
  async finish(): Promise<StoredParquet> {
    try {
      return await this.#store();
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  async #store(): Promise<StoredParquet> {
    const { held, uploadBytes, objects, location } = this.#options;
    this.#ending = true;
    if (this.#filling > 0 || this.#groups === 0) this.#flush();
    await this.#written;
    const { bytes, footer } = this.#assembly.finish();
    if (this.#upload !== null) {
      this.#emit(bytes);
      this.#upload.queue.end();
      await this.#upload.done;
      held.move(-uploadBytes);
    } else {
      const whole = Buffer.concat([...this.#whole.splice(0), bytes]);
      await objects.put(location, whole, { if: 'absent' });
      held.move(bytes.length - whole.length);
    }
    return { footer, size: this.#assembly.length };
  }

  /** Gives the file up: an upload under way ends without an object. */
  async abandon(): Promise<void> {
    await this.#written.catch(() => undefined);
    this.#upload?.queue.fail(new LakeError('internal', 'The file was given up'));
    await this.#upload?.done.catch(() => undefined);
  }

  #batch(): RecordBatch {
    const { arrowSchema, fields } = this.#options;
    const length = this.#columns[0]?.length ?? 0;
    const children = this.#columns.map((column) => column.finish(!this.#ending));
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
