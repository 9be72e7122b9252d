import { open } from 'node:fs/promises';
import { LakeError } from '../errors.ts';

/** Waits until a file's bytes, or a folder's names, are on disk for good. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Disk work whose errors say where. Errors: `unavailable`. */
export async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LakeError('unavailable', `Could not write below ${path}: ${reason}`, {
      cause,
      hint: 'Check that the disk has room and that the folder may be written. Nothing was committed.',
    });
  }
}
