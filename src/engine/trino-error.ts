import type { AxiosError } from 'axios';
import type { QueryError } from 'trino-client';
import { type ErrorKind, LakeError } from '../errors.ts';

const CANCELLED = 'USER_CANCELED';

/** Trino's own names of errors that are not the query's fault, or not only. */
const KINDS: Readonly<Record<string, ErrorKind>> = {
  PERMISSION_DENIED: 'forbidden',
  TABLE_NOT_FOUND: 'not-found',
  SCHEMA_NOT_FOUND: 'not-found',
  CATALOG_NOT_FOUND: 'not-found',
  NOT_SUPPORTED: 'unsupported',
  DIVISION_BY_ZERO: 'invalid-argument',
  NUMERIC_VALUE_OUT_OF_RANGE: 'invalid-argument',
  INVALID_CAST_ARGUMENT: 'invalid-argument',
  INVALID_FUNCTION_ARGUMENT: 'invalid-argument',
  CONSTRAINT_VIOLATION: 'invalid-argument',
  TRANSACTION_CONFLICT: 'conflict',
  [CANCELLED]: 'unavailable',
  ADMINISTRATIVELY_KILLED: 'unavailable',
};

const HINTS: Readonly<Partial<Record<ErrorKind, string>>> = {
  usage: 'Correct the SQL and run it again; nothing was changed.',
  'invalid-argument': 'A value does not fit; nothing was changed.',
  forbidden: 'Ask for the right in Trino, or set trino.user in lake.yaml.',
  'not-found': '`lake table list` shows the tables; `lake doctor` checks that Trino sees this lake.',
};

/** The error of a query that Trino took and that failed; `sql` is what was sent. */
export function trinoError(error: QueryError, sql: string): LakeError {
  const kind = KINDS[error.errorName] ?? (error.errorType === 'USER_ERROR' ? 'usage' : 'unavailable');
  const [place, line, column] = /^line (\d+):(\d+): /.exec(error.message) ?? [''];
  const message = error.message.slice(place.length);
  const shown = line === undefined ? message : `${message}\n${caret(sql, Number(line), Number(column))}`;
  const hint =
    HINTS[kind] ?? `Trino says ${error.errorName}; try again, or look at the query in Trino's web page.`;
  return new LakeError(kind, shown, {
    hint,
    context: { trino: error.errorName },
    ...(line === undefined ? {} : { where: `query, line ${line}, column ${column}` }),
  });
}

/** The error of what is asked after all was cancelled; `cause` where it was sent before. */
export function cancelledError(cause?: Error): LakeError {
  return new LakeError('unavailable', 'The query was cancelled', {
    hint: 'Nothing was changed.',
    context: { trino: CANCELLED },
    cause,
  });
}

/** True for the error of a query that somebody cancelled, we or another one, and for no other. */
export function isCancelled(error: unknown): boolean {
  return error instanceof LakeError && error.context['trino'] === CANCELLED;
}

function caret(sql: string, line: number, column: number): string {
  return `${sql.split('\n')[line - 1] ?? ''}\n${' '.repeat(Math.max(0, column - 1))}^`;
}

/** True if the same request may get through a moment later. */
export function isPassing(cause: unknown): boolean {
  if (!isAxiosError(cause)) return false;
  const status = cause.response?.status;
  return status === undefined || status === 429 || (status >= 502 && status <= 504);
}

/** The error of a request that Trino did not answer, or not with 2xx. */
export function transportError(cause: unknown, server: string): LakeError {
  if (cause instanceof LakeError) return cause;
  if (!isAxiosError(cause)) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new LakeError('unavailable', `What Trino at ${server} sent cannot be read: ${why}`, {
      hint: 'Check trino.server in lake.yaml: it may be the address of something else.',
      cause,
    });
  }
  const status = cause.response?.status;
  if (status === undefined) {
    return new LakeError(
      'unavailable',
      `Trino at ${server} does not answer (${cause.code ?? cause.message})`,
      {
        hint: 'Start it, or mend trino.server in lake.yaml; then ask again. `lake doctor` checks it.',
        cause,
      },
    );
  }
  if (status === 401 || status === 403) {
    return new LakeError('forbidden', `Trino at ${server} refuses the user (HTTP ${status})`, {
      hint: 'Set trino.user and trino.password in lake.yaml; Trino takes passwords over https alone.',
      cause,
    });
  }
  return new LakeError('unavailable', `Trino at ${server} answered HTTP ${status}`, {
    hint: statusHint(status),
    cause,
  });
}

function statusHint(status: number): string {
  if (status === 404 || status === 410) {
    return 'It was started anew and has forgotten the query, or it is no Trino server. Ask again; `lake doctor` checks it.';
  }
  if (status >= 300 && status < 400) {
    return 'Redirects are not followed, as user and password would go along: write the address that answers itself in trino.server of lake.yaml.';
  }
  return 'Try again in a moment.';
}

/** True if the request was never sent: nothing can have come of it. */
export function isUnsent(cause: unknown): boolean {
  return (
    isAxiosError(cause) &&
    ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(cause.code ?? '')
  );
}

function isAxiosError(cause: unknown): cause is AxiosError {
  return cause instanceof Error && 'isAxiosError' in cause && cause.isAxiosError === true;
}
