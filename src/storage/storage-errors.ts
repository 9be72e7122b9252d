import { isKind, LakeError } from '../errors.ts';

const NOT_THERE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, then try again. Nothing was left behind under this name.',
  EDQUOT: 'The disk quota is used up: free some space, then try again.',
  EACCES: 'Give the user who runs this the right to read and write there.',
  EPERM: 'Give the user who runs this the right to read and write there.',
  EROFS: 'The file system is mounted read-only.',
  EMFILE: 'Too many open files: raise the limit (ulimit -n).',
  ENAMETOOLONG: 'The file system allows no name of this length.',
};

/** The system's error code (`ENOENT` …), or '' for errors that carry none. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Turns an error of `node:fs` into the `LakeError` that an object store promises. */
export function fromSystemError(error: unknown, location: string): LakeError {
  if (error instanceof LakeError) return error;
  const code = systemCode(error);
  if (NOT_THERE.has(code)) return notFound(location, error);
  if (code === 'EEXIST') return alreadyExists(location, error);
  const reason = error instanceof Error ? error.message : String(error);
  return new LakeError('unavailable', `Storage failed at ${location}: ${reason}`, {
    where: location,
    hint: HINTS[code] ?? 'Look at the disk and try again.',
    cause: error,
  });
}

/** The error for an object that is not there. */
export function notFound(location: string, cause?: unknown): LakeError {
  return new LakeError('not-found', `No object at ${location}`, { where: location, cause });
}

/** Whether an object is there, by the answer to a look at it. Errors: all of the look's but `not-found`. */
export async function isThere(head: Promise<unknown>): Promise<boolean> {
  try {
    await head;
    return true;
  } catch (error) {
    if (isKind(error, 'not-found')) return false;
    throw error;
  }
}

/** The error for an object that is there and should not be. */
export function alreadyExists(location: string, cause?: unknown): LakeError {
  return new LakeError('already-exists', `There is an object at ${location} already`, {
    where: location,
    hint: 'It was left as it is.',
    cause,
  });
}

/** The error of a conditional put whose object has changed since. */
export function changedSince(location: string): LakeError {
  return new LakeError('conflict', `The object at ${location} changed since it was read`, {
    where: location,
    hint: 'Nothing was written: read it again.',
  });
}
