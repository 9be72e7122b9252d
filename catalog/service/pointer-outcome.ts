import { type ErrorKind, isKind } from '../../src/errors.ts';

/** The store's answers by which it is certain that no pointer moved. */
const REFUSALS: readonly ErrorKind[] = [
  'conflict',
  'already-exists',
  'not-found',
  'invalid-argument',
  'unsupported',
  'forbidden',
];

/**
 * True if a failed pointer change has certainly left the pointers alone, so that the metadata files written for it may be
 * discarded. Anything else (a failed disk or connection, a defect) may have come after the change was applied: then the files
 * stay, and orphan removal takes them once nothing names them.
 */
export function surelyRefused(error: unknown): boolean {
  return isKind(error, ...REFUSALS);
}
