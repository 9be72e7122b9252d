import type { ErrorKind } from '../errors.ts';

/** The exit codes that scripts rely on (DESIGN 5). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  changesPending: 3,
  checkFailed: 4,
  unknownOutcome: 5,
  conflict: 6,
} as const;

const BY_KIND: Readonly<Record<ErrorKind, number>> = {
  usage: EXIT.usage,
  'invalid-file': EXIT.usage,
  'invalid-argument': EXIT.usage,
  'not-found': EXIT.failed,
  'already-exists': EXIT.failed,
  'not-empty': EXIT.failed,
  conflict: EXIT.conflict,
  'stale-plan': EXIT.conflict,
  'unknown-outcome': EXIT.unknownOutcome,
  corrupt: EXIT.failed,
  unsupported: EXIT.failed,
  'check-failed': EXIT.checkFailed,
  unavailable: EXIT.failed,
  forbidden: EXIT.failed,
  internal: EXIT.failed,
};

/** The exit code of a command that ended with an error of this kind. */
export function exitCodeOf(kind: ErrorKind): number {
  return BY_KIND[kind];
}
