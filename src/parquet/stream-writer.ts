import type { Schema as ArrowSchema, Data, RecordBatch } from 'apache-arrow';
import type { Clock } from '../clock.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { type PartitionSpec, partitionPath } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Value } from '../iceberg/types.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { arrowSchema } from './arrow-schema.ts';
import type { Cells } from './cell.ts';
import { schemaLeaves } from './column-stats.ts';
import { encodeApart, encodeHere } from './encoder-pool.ts';
import { footerMetrics } from './footer-metrics.ts';
import { HeldBytes } from './held-bytes.ts';
import { OpenFile } from './open-file.ts';
import { PartitionRouter, type PartitionRows } from './partition-router.ts';
import { DEFAULT_TARGET_FILE_SIZE } from './target-file-size.ts';

export interface StreamWriterOptions {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** The table's location; files go to `<location>/data/<partition path>/`. */
  readonly location: string;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly targetFileSizeBytes?: number;
  /** What rows and encoded row groups may hold in memory together, besides the row groups inside the encoders. Default 256 MiB, at least 16 MiB. */
  readonly memoryBytes?: number;
  /** Table properties, for `write.metadata.metrics.*`. */
  readonly properties?: Readonly<Record<string, string>>;
}

const DEFAULT_MEMORY = 256 * 1024 * 1024;
const LEAST_MEMORY = 16 * 1024 * 1024;

/** Rows are taken in slices, so that the budget is looked at often. */
const SLICE_ROWS = 8192;

/** A row group may have this part of the memory budget. */
const ROW_GROUP_SHARE = 8;
const LARGEST_ROW_GROUP = 16 * 1024 * 1024;

/** An upload under way counts as this part of the budget, so that not too many are open at once. */
const UPLOAD_SHARE = 32;

/** So many files at once are closed: encoded, uploaded and made durable. */
const CLOSING = 8;

/** Until so many bytes of rows have come, this thread encodes them: others take longer to start. */
const HERE = 4 * 1024 * 1024;

interface OpenPartition {
  readonly tuple: readonly Value[];
  readonly file: OpenFile;
  readonly location: string;
}

/**
 * Writes rows or Arrow batches, in any order, as partitioned Parquet files with field ids (nested too), zstd and metrics. Row groups are encoded by other threads and stored as they are done, so that
 * a file may grow past the memory. What is in memory stays below `memoryBytes`: the biggest open file is closed first, so that many partitions at once give smaller files. Calls wait while encoders or
 * uploads lag behind. Rows are not sorted. A failed writer takes no more rows; nothing refers to its files (`files`), and `lake orphans` removes them.
 */
export class StreamWriter {
  readonly #options: StreamWriterOptions;
  readonly #router: PartitionRouter;
  readonly #arrow: ArrowSchema;
  /** Field ids of uuid columns, nested ones too. */
  readonly #uuids: ReadonlySet<number>;
  readonly #budget: number;
  readonly #target: number;
  readonly #open = new Map<string, OpenPartition>();
  readonly #closing = new Set<Promise<void>>();
  readonly #files: DataFile[] = [];
  readonly #held = new HeldBytes();
  #encodedHere = 0;
  #number = 0;
  #failure: unknown = null;

  /** Errors: `unsupported` for types and transforms that this version does not write. */
  constructor(options: StreamWriterOptions) {
    this.#options = options;
    this.#router = new PartitionRouter(options.schema, options.spec);
    this.#arrow = arrowSchema(options.schema);
    const leaves = [...schemaLeaves(options.schema).values()];
    this.#uuids = new Set(leaves.filter((leaf) => leaf.type === 'uuid').map((leaf) => leaf.field.id));
    this.#budget = Math.max(options.memoryBytes ?? DEFAULT_MEMORY, LEAST_MEMORY);
    this.#target = options.targetFileSizeBytes ?? DEFAULT_TARGET_FILE_SIZE;
  }

  /** Files that are stored for good so far, in the order in which they were. */
  get files(): readonly DataFile[] {
    return this.#files;
  }

  /** The most bytes that were held at once. */
  get peakBytes(): number {
    return this.#held.peak;
  }

  /** Adds rows: their cells in the order of the schema's columns. Errors: `invalid-argument` for cells that do not fit, `unavailable`, `internal`. */
  async writeRows(rows: readonly Cells[]): Promise<void> {
    for (let start = 0; start < rows.length; start += SLICE_ROWS) {
      const slice = rows.length <= SLICE_ROWS ? rows : rows.slice(start, start + SLICE_ROWS);
      await this.#guarded(async () => {
        if (!this.#router.partitioned)
          return this.#add(UNPARTITIONED_ROWS, (file) => file.append(slice, null));
        for (const part of this.#router.route(slice)) {
          await this.#add(part, (file) => file.append(slice, part.rows));
        }
      });
    }
  }

  /** Adds the rows of an Arrow batch; its columns are those of the schema by name, optional ones may be left out. Errors: as `writeRows`. */
  async writeBatch(batch: RecordBatch): Promise<void> {
    for (let start = 0; start < batch.numRows; start += SLICE_ROWS * 4) {
      const slice = batch.slice(start, Math.min(start + SLICE_ROWS * 4, batch.numRows));
      await this.#guarded(async () => {
        const columns = batchColumns(this.#options.schema, slice);
        if (!this.#router.partitioned)
          return this.#add(UNPARTITIONED_ROWS, (file) => file.take(columns, null, slice.numRows));
        for (const part of this.#router.routeBatch(columns, slice.numRows))
          await this.#add(part, (file) => file.take(columns, part.rows, slice.numRows));
      });
    }
  }

  /** Stores what is open. The data files of all rows, by path. */
  async close(): Promise<DataFile[]> {
    await this.#guarded(async () => {
      for (const key of [...this.#open.keys()]) await this.#store(key);
      await Promise.all(this.#closing);
    });
    return this.#files.toSorted((a, b) => (a.filePath < b.filePath ? -1 : 1));
  }

  /** Gives up: waits for uploads under way and says which files were stored; none is deleted. */
  async abort(): Promise<readonly DataFile[]> {
    this.#failure ??= new LakeError('internal', 'The writer was given up');
    await Promise.all([...this.#open.values()].map(({ file }) => file.abandon()));
    await Promise.all(this.#closing);
    this.#open.clear();
    return this.#files;
  }

  /** As `abort`, and deletes the stored files: only for callers that have not tried to commit them. */
  async discard(): Promise<void> {
    const stored = await this.abort();
    await this.#options.objects.delete(stored.map((file) => file.filePath));
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    try {
      await work();
      if (this.#failure !== null) throw this.#failure;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #add(part: Pick<PartitionRows, 'key' | 'tuple'>, fill: (file: OpenFile) => void): Promise<void> {
    const { file } = this.#openPartition(part);
    fill(file);
    await file.settle();
    if (file.encodedBytes >= this.#target) await this.#store(part.key);
    // What a slice adds, and columns that double their room, must fit into the rest.
    while (this.#failure === null && this.#held.total > this.#budget * 0.7) {
      if (this.#held.filling >= this.#held.leaving && this.#open.size > 0) await this.#store(this.#biggest());
      else await this.#held.next();
    }
  }

  #openPartition({ key, tuple }: Pick<PartitionRows, 'key' | 'tuple'>): OpenPartition {
    let open = this.#open.get(key);
    if (!open) {
      const { schema, objects } = this.#options;
      const location = this.#newLocation(tuple);
      const file = new OpenFile({
        fields: schema.fields,
        arrowSchema: this.#arrow,
        uuids: this.#uuids,
        rowGroupBytes: Math.min(LARGEST_ROW_GROUP, this.#budget / ROW_GROUP_SHARE),
        uploadBytes: this.#budget / UPLOAD_SHARE,
        location,
        objects,
        held: this.#held,
        encode: (batch, bytes) => this.#encode(batch, bytes),
        onFailure: (error) => this.#fail(error),
      });
      open = { tuple, file, location };
      this.#open.set(key, open);
    }
    return open;
  }

  #newLocation(tuple: readonly Value[]): string {
    const { schema, spec, location, clock } = this.#options;
    const below = partitionPath(spec, schema, tuple);
    const name = `${String(this.#number++).padStart(5, '0')}-${clock.uuid()}.parquet`;
    return `${location}/data${below === '' ? '' : `/${below}`}/${name}`;
  }

  async #encode(batch: RecordBatch, bytes: number): Promise<Uint8Array> {
    if (this.#encodedHere > HERE) return encodeApart(batch);
    this.#encodedHere += bytes;
    return encodeHere(batch);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#held.wake();
  }

  #biggest(): string {
    let biggest = '';
    let most = -1;
    for (const [key, { file }] of this.#open) {
      if (file.bytes <= most) continue;
      biggest = key;
      most = file.bytes;
    }
    return biggest;
  }

  /** Begins to close a file; waits while too many others are being closed. */
  async #store(key: string): Promise<void> {
    const open = this.#open.get(key);
    if (!open) return;
    this.#open.delete(key);
    const done = this.#finish(open)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#closing.delete(done));
    this.#closing.add(done);
    while (this.#closing.size >= CLOSING) await Promise.race(this.#closing);
  }

  async #finish({ file, tuple, location }: OpenPartition): Promise<void> {
    const { schema, properties = {} } = this.#options;
    const { footer, size } = await file.finish();
    const { recordCount, splitOffsets, ...metrics } = footerMetrics(footer, schema, file.nans, properties);
    if (recordCount !== file.rows)
      throw new LakeError('internal', `A file has ${recordCount} rows in place of ${file.rows}`, {
        where: location,
        hint: 'Nothing was committed. Please report it.',
      });
    this.#files.push({
      content: 'data',
      filePath: location,
      fileFormat: 'PARQUET',
      partition: tuple,
      recordCount,
      fileSizeInBytes: size,
      ...metrics,
      splitOffsets,
    });
  }
}

const UNPARTITIONED_ROWS = { key: '', tuple: [] };

/** The batch's columns in the schema's order. Errors: `invalid-argument` for columns that the schema does not have. */
function batchColumns(schema: Schema, batch: RecordBatch): (Data | null)[] {
  const names = schema.fields.map((field) => field.name);
  for (const field of batch.schema.fields) {
    if (names.includes(field.name)) continue;
    const near = nearestName(field.name, names);
    throw new LakeError('invalid-argument', `The table has no column "${field.name}"`, {
      hint: near === null ? `Its columns are ${names.join(', ')}.` : `Did you mean "${near}"?`,
    });
  }
  return names.map((name) => batch.getChild(name)?.data[0] ?? null);
}
