import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { isLocalLocation, localDataPath } from '../engine/sql-text.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type CopyRequest, copyToParquet, removeFiles, type WrittenFile } from './copy.ts';

/** As `CopyRequest`, with the location of a folder in any store. */
export interface StoreCopyRequest extends Omit<CopyRequest, 'folder'> {
  readonly folder: string;
  readonly objects: ObjectStore;
}

/**
 * Writes a query's rows as Parquet files into a folder of any store, see `copyToParquet`. What is not local is written to a scratch folder
 * and uploaded file by file; the scratch copy goes as soon as its upload is done.
 *
 * @param describe makes a file's entry of it while it lies on the local disk, with its location in the store
 * @returns the entries; if it throws, the files of this call are gone again
 */
export async function copyToStore<T>(
  engine: DuckDbEngine,
  request: StoreCopyRequest,
  describe: (file: WrittenFile, location: string) => Promise<T>,
): Promise<T[]> {
  const { objects, folder: target, ...copy } = request;
  const isLocal = isLocalLocation(target);
  const folder = isLocal ? localDataPath(target) : await engine.files.newScratchFolder();
  const entries: T[] = [];
  let made: readonly string[] = [];
  try {
    const files = await copyToParquet(engine, { ...copy, folder });
    made = files.map((file) => `${target}/${file.path.slice(file.path.lastIndexOf('/') + 1)}`);
    for (const [i, file] of files.entries()) {
      const location = made[i]!;
      entries.push(await describe(file, location));
      if (isLocal) continue;
      await objects.upload(location, createReadStream(file.path, { highWaterMark: 1 << 20 }));
      await rm(file.path);
    }
    return entries;
  } catch (error) {
    await removeWritten(objects, made);
    throw error;
  } finally {
    if (!isLocal) await rm(folder, { recursive: true, force: true });
  }
}

/** Removes files that nothing refers to; local folders that this leaves empty go too. */
export async function removeWritten(objects: ObjectStore, locations: readonly string[]): Promise<void> {
  const local = locations.filter(isLocalLocation);
  await removeFiles(local.map(localDataPath));
  const remote = locations.filter((location) => !isLocalLocation(location));
  if (remote.length > 0) await objects.delete(remote);
}
