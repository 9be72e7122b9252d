import { LakeError } from '../../src/errors.ts';

const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const NO_DATABASE = 26;

export const isBusy = (error: unknown): boolean => resultCode(error) === BUSY;
export const isFull = (error: unknown): boolean => resultCode(error) === FULL;

/** SQLite's primary result code, or -1 for errors that are none of SQLite's. */
function resultCode(error: unknown): number {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : -1;
}

/** An error of SQLite as one of ours, told of a statement that was not applied; others as they are. */
export function fromSqlite(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === -1 || !(error instanceof Error)) return error;
  if (code === CORRUPT || code === NO_DATABASE) {
    return new LakeError('corrupt', `The catalog database is damaged or no SQLite file: ${error.message}`, {
      where: path,
      hint: 'Restore it from a backup. It was left as it is.',
      cause: error,
    });
  }
  return new LakeError('unavailable', `The catalog database failed: ${error.message}`, {
    where: path,
    hint: hintFor(code),
    cause: error,
  });
}

function hintFor(code: number): string {
  if (code === BUSY) return 'Another process holds the database for long: try again. Nothing was applied.';
  if (code === FULL) return 'Make room on its disk and try again. Nothing was applied.';
  return 'Check the disk and the rights on the file. Nothing was applied.';
}
