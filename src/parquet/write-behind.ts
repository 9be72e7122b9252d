import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { onDisk, syncPath } from './disk.ts';

/** Between two looks at what has been written, ms. */
const PAUSE_MS = 60;

/**
 * Brings the bytes of growing files to disk while the engine is still writing them, so that little is left to wait for at the end. It makes nothing durable by itself: each
 * file is to be synced once more when it is whole.
 *
 * @param folder what an error of the disk names
 * @param growing the paths of the files that are there by now; one that is gone since is left out
 * @throws what `work` throws; else an error of the disk. A file system tells of a failed write once: whoever syncs later would not hear of it
 */
export async function writingBehind<T>(
  files: { readonly folder: string; readonly growing: () => Promise<string[]> },
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const synced = new Map<string, number>();
  const passes = async (): Promise<void> => {
    while (!over.signal.aborted) {
      for (const path of await files.growing()) {
        if (over.signal.aborted) return;
        await syncGrown(path, synced);
      }
      await setTimeout(PAUSE_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const behind = onDisk(files.folder, passes);
  const [written, synchronised] = await Promise.allSettled([work().finally(() => over.abort()), behind]);
  if (written.status === 'rejected') throw written.reason;
  if (synchronised.status === 'rejected') throw synchronised.reason;
  return written.value;
}

async function syncGrown(path: string, synced: Map<string, number>): Promise<void> {
  try {
    const { size } = await stat(path);
    if (size === (synced.get(path) ?? 0)) return;
    await syncPath(path);
    synced.set(path, size);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** The files that a COPY has begun of those that it numbers from 0: asked for by name, as the folder may hold any number of others. */
export async function numberedFiles(pathOf: (number: number) => string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for (;;) {
      const path = pathOf(paths.length);
      await stat(path);
      paths.push(path);
    }
  } catch (error) {
    if (isGone(error)) return paths;
    throw error;
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
