/**
 * What went wrong, as a closed set. Each kind says what the caller must do; the command line turns a kind
 * into an exit code (see `src/cli/exit-codes.ts`) and the catalog into an HTTP status.
 */
export type ErrorKind =
  /** The words of a command or a value given to it are off: correct them and call again. Nothing was done. */
  | 'usage'
  /** A file that people edit (lake.yaml, a policy, a model) is invalid: mend the file. Nothing was done. */
  | 'invalid-file'
  /** A value does not fit the Iceberg spec or an operation's contract. Nothing was written. */
  | 'invalid-argument'
  /** The named thing (table, snapshot, ref, column, object) does not exist. */
  | 'not-found'
  /** The thing to be created exists already. */
  | 'already-exists'
  /** A namespace that is to be dropped still holds something. */
  | 'not-empty'
  /** Another writer came first: refresh and derive the change anew. Nothing of this commit was applied. */
  | 'conflict'
  /** A plan was made for a state that is gone: make a new plan. */
  | 'stale-plan'
  /** The commit may or may not have been applied: reload and look; delete nothing that it may refer to. */
  | 'unknown-outcome'
  /** Stored bytes are not what their format says (truncated, foreign, damaged). */
  | 'corrupt'
  /** Valid, but this version of Lakewarden does not do it (yet). Nothing was done. */
  | 'unsupported'
  /** A data quality check failed: nothing was published. */
  | 'check-failed'
  /** A service, disk or store did not answer as it should. Nothing is known to be applied; try again. */
  | 'unavailable'
  /** The caller may not do this. */
  | 'forbidden'
  /** A broken promise inside Lakewarden: please report it. */
  | 'internal';

export interface ErrorDetails {
  /** Where: a file with line and column, a table, a location. */
  readonly where?: string;
  /** What to do next, and in which state things were left. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Further facts for logs and JSON output. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** The only error class of the project. */
export class LakeError extends Error {
  override readonly name = 'LakeError';
  readonly kind: ErrorKind;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.where = details.where;
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** True if `error` is a LakeError of one of the kinds. */
export function isKind(error: unknown, ...kinds: ErrorKind[]): error is LakeError {
  return error instanceof LakeError && kinds.includes(error.kind);
}
