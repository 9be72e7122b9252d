import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDbEngine, RawRow } from '../engine/duckdb.ts';
import { fieldIdsOption } from '../engine/duckdb-types.ts';
import { quoteText } from '../engine/sql-text.ts';
import type { NestedField } from '../iceberg/types.ts';
import { type ColumnStats, readColumnStats, schemaLeaves } from './column-stats.ts';
import { onDisk, syncPath } from './disk.ts';
import { numberedFiles, writingBehind } from './write-behind.ts';

/** A Parquet file that lies durably on the local disk. */
export interface WrittenFile {
  readonly path: string;
  readonly rows: number;
  /** Bytes. */
  readonly size: number;
  readonly columns: readonly ColumnStats[];
}

export interface CopyRequest {
  /** Gives the columns of `fields`, in their order and types. */
  readonly sql: string;
  readonly fields: readonly NestedField[];
  /** The local folder that the files go into; made if it is not there. */
  readonly folder: string;
  /** Starts the files' names; must be new in the folder. */
  readonly name: string;
  readonly targetFileSizeBytes: number;
}

/**
 * Writes a query's rows as zstd Parquet files with field ids, rolling over about every `targetFileSizeBytes` (at the end of a row group).
 * The files are on disk for good when it returns; no rows, no file. Errors: those of the engine, `unavailable` for the disk.
 */
export async function copyToParquet(engine: DuckDbEngine, request: CopyRequest): Promise<WrittenFile[]> {
  const { folder, name } = request;
  const first = await onDisk(folder, () => mkdir(folder, { recursive: true }));
  try {
    const statement =
      `COPY (${request.sql}) TO ${quoteText(folder)} (FORMAT parquet, COMPRESSION zstd, FIELD_IDS ${fieldIdsOption(request.fields)}, ` +
      `FILE_SIZE_BYTES ${request.targetFileSizeBytes}, FILENAME_PATTERN ${quoteText(`${name}-{i}`)}, OVERWRITE_OR_IGNORE, RETURN_STATS)`;
    const growing = () => numberedFiles((number) => join(folder, `${name}-${number}.parquet`));
    const rows = await writingBehind({ folder, growing }, () => engine.raw(statement));
    const files = rows.map((row) => writtenFile(request.fields, row));
    const empty = files.filter((file) => file.rows === 0);
    await removeFiles(empty.map((file) => file.path));
    const kept = files.filter((file) => file.rows > 0);
    if (kept.length > 0)
      await onDisk(folder, () =>
        syncAll([...kept.map((file) => file.path), ...foldersToSync(folder, first ?? folder)]),
      );
    return kept;
  } catch (error) {
    await removeStarting(folder, `${name}-`);
    throw error;
  }
}

/** A file as COPY tells of it with `RETURN_STATS`. */
export function writtenFile(fields: readonly NestedField[], row: RawRow): WrittenFile {
  return {
    path: String(row['filename']),
    rows: Number(row['count']),
    size: Number(row['file_size_bytes']),
    columns: readColumnStats(schemaLeaves({ fields }), row['column_statistics']),
  };
}

/** A folder and those around it in which a name may be new: up to the one that holds the first that was made. */
function foldersToSync(folder: string, first: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== dirname(first) && at !== dirname(at); at = dirname(at))
    folders.push(dirname(at));
  return folders;
}

async function syncAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) await syncPath(path);
}

/** Removes files that nothing refers to yet, and folders that this leaves empty. */
export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true });
    // A folder that holds other files stays: rmdir refuses it.
    await rmdir(dirname(path)).catch(() => undefined);
  }
}

async function removeStarting(folder: string, prefix: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await removeFiles(names.filter((name) => name.startsWith(prefix)).map((name) => join(folder, name)));
}
