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
import { footerMetrics } from './footer-metrics.ts';
import { OpenFile } from './open-file.ts';
import { PartitionRouter, type PartitionRows } from './partition-router.ts';
import { DEFAULT_TARGET_FILE_SIZE } from './set-writer.ts';
import { annotateUuids } from './uuid-annotation.ts';

export interface StreamWriterOptions {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** The table's location; files go to `<location>/data/<partition path>/`. */
  readonly location: string;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly targetFileSizeBytes?: number;
  /** What rows and encoded files may hold in memory together. Default 256 MiB, at least 16 MiB. */
  readonly memoryBytes?: number;
  /** Table properties, for `write.metadata.metrics.*`. */
  readonly properties?: Readonly<Record<string, string>>;
}

const DEFAULT_MEMORY = 256 * 1024 * 1024;
const LEAST_MEMORY = 16 * 1024 * 1024;

/** Rows are taken in slices, so that the budget is looked at often. */
const SLICE_ROWS = 8192;

/** A column of the memory budget at most for the row group of one file. */
const ROW_GROUP_SHARE = 8;
const LARGEST_ROW_GROUP = 32 * 1024 * 1024;

const UPLOADS = 4;

interface OpenPartition {
  readonly tuple: readonly Value[];
  readonly file: OpenFile;
  /** `file.bytes` when it was last looked at. */
  bytes: number;
}

/**
 * Writes rows or Arrow batches, in any order, as partitioned Parquet files with field ids (nested too), zstd and metrics. The rows and files in memory stay below `memoryBytes`:
 * the biggest open file is closed first, so that many partitions at once give smaller files. Calls wait while uploads lag behind. Rows are not sorted. A failed writer takes
 * no more rows; nothing refers to its files (`files`), and `lake orphans` removes them.
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
  readonly #uploads = new Set<Promise<void>>();
  readonly #files: DataFile[] = [];
  #held = 0;
  #uploading = 0;
  #peak = 0;
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
    return this.#peak;
  }

  /** Adds rows: their cells in the order of the schema's columns. Errors: `invalid-argument` for cells that do not fit, `unavailable`, `internal`. */
  async writeRows(rows: readonly Cells[]): Promise<void> {
    for (let start = 0; start < rows.length; start += SLICE_ROWS) {
      const slice = rows.length <= SLICE_ROWS ? rows : rows.slice(start, start + SLICE_ROWS);
      await this.#guarded(async () => {
        if (!this.#router.partitioned) return this.#add(UNPARTITIONED_ROWS, (file) => appendAll(file, slice));
        for (const part of this.#router.route(slice)) {
          await this.#add(part, (file) => {
            for (const row of part.rows) file.append(slice[row]!);
          });
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
      await Promise.all(this.#uploads);
    });
    return this.#files.toSorted((a, b) => (a.filePath < b.filePath ? -1 : 1));
  }

  /** Gives up: waits for uploads under way and says which files were stored; none is deleted. */
  async abort(): Promise<readonly DataFile[]> {
    this.#failure ??= new LakeError('internal', 'The writer was given up');
    await Promise.allSettled(this.#uploads);
    for (const { file } of this.#open.values()) await file.abandon();
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
    const open = this.#openPartition(part);
    fill(open.file);
    this.#measure(open);
    await open.file.settle();
    this.#measure(open);
    if (open.file.encodedBytes >= this.#target) await this.#store(part.key);
    // What a slice adds, and columns that double their room, must fit into the rest.
    while (this.#held + this.#uploading > this.#budget * 0.7) {
      if (this.#held >= this.#uploading && this.#open.size > 0) await this.#store(this.#biggest());
      else await Promise.race(this.#uploads);
    }
  }

  #openPartition({ key, tuple }: Pick<PartitionRows, 'key' | 'tuple'>): OpenPartition {
    let open = this.#open.get(key);
    if (!open) {
      const file = new OpenFile({
        fields: this.#options.schema.fields,
        arrowSchema: this.#arrow,
        rowGroupBytes: Math.min(LARGEST_ROW_GROUP, this.#budget / ROW_GROUP_SHARE),
      });
      open = { tuple, file, bytes: 0 };
      this.#open.set(key, open);
    }
    return open;
  }

  #measure(open: OpenPartition): void {
    const { bytes } = open.file;
    this.#held += bytes - open.bytes;
    open.bytes = bytes;
    this.#peak = Math.max(this.#peak, this.#held + this.#uploading);
  }

  #biggest(): string {
    let biggest = '';
    let bytes = -1;
    for (const [key, open] of this.#open) {
      if (open.bytes <= bytes) continue;
      biggest = key;
      bytes = open.bytes;
    }
    return biggest;
  }

  /** Ends a file and sends it off; waits while others are still on their way. */
  async #store(key: string): Promise<void> {
    const open = this.#open.get(key);
    if (!open) return;
    this.#open.delete(key);
    const bytes = annotateUuids(await open.file.finish(), this.#uuids);
    this.#held -= open.bytes;
    this.#uploading += bytes.length;
    this.#peak = Math.max(this.#peak, this.#held + this.#uploading);
    while (this.#uploads.size >= UPLOADS) await Promise.race(this.#uploads);
    const upload = this.#upload(open, bytes).then(
      () => undefined,
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    const done = upload.finally(() => {
      this.#uploading -= bytes.length;
      this.#uploads.delete(done);
    });
    this.#uploads.add(done);
  }

  async #upload(open: OpenPartition, bytes: Uint8Array): Promise<void> {
    const { schema, spec, location, clock, objects, properties = {} } = this.#options;
    const below = partitionPath(spec, schema, open.tuple);
    const name = `${String(this.#number++).padStart(5, '0')}-${clock.uuid()}.parquet`;
    const filePath = `${location}/data${below === '' ? '' : `/${below}`}/${name}`;
    const { recordCount, splitOffsets, ...metrics } = footerMetrics(
      bytes,
      schema,
      open.file.nans,
      properties,
    );
    if (recordCount !== open.file.rows)
      throw new LakeError('internal', `A file has ${recordCount} rows in place of ${open.file.rows}`, {
        where: filePath,
        hint: 'Nothing was committed. Please report it.',
      });
    await objects.put(filePath, bytes, { if: 'absent' });
    this.#files.push({
      content: 'data',
      filePath,
      fileFormat: 'PARQUET',
      partition: open.tuple,
      recordCount,
      fileSizeInBytes: bytes.length,
      ...metrics,
      splitOffsets,
    });
  }
}

const UNPARTITIONED_ROWS = { key: '', tuple: [] };

function appendAll(file: OpenFile, rows: readonly Cells[]): void {
  for (const row of rows) file.append(row);
}

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
