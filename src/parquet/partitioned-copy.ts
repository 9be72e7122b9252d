import { createReadStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { fieldIdsOption } from '../engine/duckdb-types.ts';
import { isLocalLocation, localDataPath, quoteName, quoteText } from '../engine/sql-text.ts';
import type { NestedField } from '../iceberg/types.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type WrittenFile, writtenFile } from './copy.ts';
import { onDisk, syncPath } from './disk.ts';

/** Partitions that one COPY may write: as many files are open at a time. */
export const PARTITIONS_A_COPY = 256;

/** The column that numbers a row's partition; it is in no file. */
export const PARTITION_NUMBER = '__lake_partition';

/** Files described, moved or uploaded at a time: most of it is waiting for the disk or the network. */
const LANDERS = 8;

export interface PartitionedCopyRequest {
  /** Gives the columns of `fields`, in their order and types, and `PARTITION_NUMBER`: no more than `PARTITIONS_A_COPY` numbers. */
  readonly sql: string;
  readonly fields: readonly NestedField[];
  /** The folder above all partitions' folders, in any store. */
  readonly data: string;
  /** The folder of a partition's files, at or below `data`. */
  readonly folderOf: (partition: number) => string;
  readonly targetFileSizeBytes: number;
  readonly objects: ObjectStore;
  readonly clock: Clock;
}

interface PartitionFile {
  readonly partition: number;
  readonly file: WrittenFile;
  /** No other file has it. */
  readonly name: string;
}

interface PartitionSteps {
  /** Makes a file's entry of it while it lies on the local disk, with its location in the store. */
  readonly describe: (partition: number, file: WrittenFile, location: string) => Promise<void>;
  /** Writes a partition's rows anew from the local files that hold them now, for at least one exceeds the target. */
  readonly split: (partition: number, paths: readonly string[]) => Promise<void>;
}

/**
 * Writes the rows of many small partitions as zstd Parquet files with field ids in one pass of the engine. DuckDB knows no names of
 * partitions and cannot roll over then: the files are written to a folder of their own and moved. The rows of a file come in no order.
 * The files are on disk for good when it returns; if it throws, the caller removes those that it was told of.
 */
export async function copyPartitions(
  engine: DuckDbEngine,
  request: PartitionedCopyRequest,
  { describe, split }: PartitionSteps,
): Promise<void> {
  const isLocal = isLocalLocation(request.data);
  // Beside the partitions, so that a file moves by its name alone.
  const scratch = isLocal
    ? join(localDataPath(request.data), `in-progress-${request.clock.uuid()}`)
    : await engine.files.newScratchFolder();
  try {
    const files = await copy(engine, request, scratch);
    const large = files.filter(({ file }) => file.size > request.targetFileSizeBytes);
    const tooLarge = new Set(large.map(({ partition }) => partition));
    const kept = Map.groupBy(
      files.filter(({ partition }) => !tooLarge.has(partition)),
      ({ partition }) => partition,
    );
    const made: string[] = [];
    const parents = new Set<string>();
    await inParallel([...kept], LANDERS, async ([partition, its]) => {
      const folder = request.folderOf(partition);
      for (const { file, name } of its) {
        const location = `${folder}/${name}`;
        await describe(partition, file, location);
        made.push(location);
        if (!isLocal) await upload(request, file.path, location);
      }
      if (isLocal) await moveInto(localDataPath(folder), its, parents);
    });
    if (isLocal) await syncFiles(localDataPath(request.data), made.map(localDataPath));
    for (const number of tooLarge) {
      const its = files.filter(({ partition }) => partition === number);
      await split(
        number,
        its.map(({ file }) => file.path),
      );
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function copy(
  engine: DuckDbEngine,
  { sql, fields }: PartitionedCopyRequest,
  scratch: string,
): Promise<PartitionFile[]> {
  await onDisk(scratch, () => mkdir(scratch, { recursive: true }));
  // Beyond, it would close a file, and begin another when the partition comes again.
  await engine.run(`SET GLOBAL partitioned_write_max_open_files = ${PARTITIONS_A_COPY + 1}`);
  const rows = await engine.raw(
    `COPY (${sql}) TO ${quoteText(scratch)} (FORMAT parquet, COMPRESSION zstd, FIELD_IDS ${fieldIdsOption(fields)}, ` +
      // One number counts in every partition anew: the engine's own uuid makes a name that no other file has.
      `PARTITION_BY (${quoteName(PARTITION_NUMBER)}), FILENAME_PATTERN '{i}-{uuid}', RETURN_STATS)`,
  );
  return rows.flatMap((row) => {
    const file = writtenFile(fields, row);
    // The folder's name is the number: neither nulls nor any text of the rows are in it.
    const partition = Number(dirname(file.path).slice(dirname(file.path).lastIndexOf('=') + 1));
    return file.rows === 0 ? [] : [{ partition, file, name: basename(file.path) }];
  });
}

/** Moves a partition's files to its folder: with the folder that they lie in where the table has none, which is the cheapest. `parents` are known to be there. */
async function moveInto(
  folder: string,
  files: readonly PartitionFile[],
  parents: Set<string>,
): Promise<void> {
  await onDisk(folder, async () => {
    const parent = dirname(folder);
    if (!parents.has(parent)) await mkdir(parent, { recursive: true });
    parents.add(parent);
    try {
      await rename(dirname(files[0]!.file.path), folder);
    } catch (error) {
      if (!isNotEmpty(error)) throw error;
      for (const { file, name } of files) await rename(file.path, join(folder, name));
    }
  });
}

const isNotEmpty = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');

async function upload({ objects }: PartitionedCopyRequest, from: string, to: string): Promise<void> {
  await objects.upload(to, createReadStream(from, { highWaterMark: 1 << 20 }));
  await rm(from);
}

/**
 * Makes files and their names durable: the files, then their folders, those between them and `data`, and what holds `data`; each once. All have their names
 * by then: a file system with a journal writes the names with the files' own data, and finds little left to do for the folders.
 */
async function syncFiles(data: string, paths: readonly string[]): Promise<void> {
  const folders = new Set<string>(paths.length === 0 ? [] : [dirname(data)]);
  for (const path of paths) {
    let folder = dirname(path);
    while (folder.startsWith(data) && !folders.has(folder)) {
      folders.add(folder);
      folder = dirname(folder);
    }
  }
  await onDisk(data, async () => {
    await inParallel(paths, LANDERS, syncPath);
    await inParallel([...folders], LANDERS, syncPath);
  });
}
