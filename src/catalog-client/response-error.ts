import { type ErrorKind, LakeError } from '../errors.ts';

const BY_TYPE: Readonly<Record<string, ErrorKind>> = {
  NoSuchTableException: 'not-found',
  NoSuchNamespaceException: 'not-found',
  AlreadyExistsException: 'already-exists',
  NamespaceNotEmptyException: 'not-empty',
  CommitFailedException: 'conflict',
  CommitStateUnknownException: 'unknown-outcome',
  UnsupportedOperationException: 'unsupported',
};
const BY_STATUS: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid-argument',
  401: 'forbidden',
  403: 'forbidden',
  404: 'not-found',
  406: 'unsupported',
  409: 'conflict',
  419: 'forbidden',
  422: 'invalid-argument',
  501: 'unsupported',
};
/** Kinds that a Lakewarden catalog sends in its answers, and that say for certain that nothing was applied. */
const OWN_KINDS: readonly ErrorKind[] = [
  'invalid-argument',
  'not-found',
  'already-exists',
  'not-empty',
  'conflict',
  'corrupt',
  'unsupported',
  'unavailable',
  'forbidden',
];
/** The connection was never made, so nothing was sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const UNKNOWN_HINT =
  'The change may or may not have been applied: reload and look; delete nothing that it may refer to.';

/** The error that an answer with a status of 400 or above stands for; `changes` if the request may have changed something. */
export function fromResponse(status: number, body: unknown, where: string, changes: boolean): LakeError {
  const error = field(body, 'error');
  const text = (name: string): string | undefined => {
    const value = field(error, name);
    return typeof value === 'string' ? value : undefined;
  };
  const own = OWN_KINDS.find((kind) => kind === text('kind'));
  const fallback: ErrorKind = changes && status >= 500 ? 'unknown-outcome' : 'unavailable';
  const kind = own ?? BY_TYPE[text('type') ?? ''] ?? BY_STATUS[status] ?? fallback;
  const hint = text('hint') ?? (kind === 'unknown-outcome' ? UNKNOWN_HINT : undefined);
  return new LakeError(kind, text('message') ?? `The catalog answered with status ${status}`, {
    where: text('where') ?? where,
    ...(hint === undefined ? {} : { hint }),
    context: { status, type: text('type'), own: own !== undefined },
  });
}

/** The error of a request that got no answer. */
export function fromFailure(cause: unknown, where: string, changes: boolean): LakeError {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const code = field(inner, 'code');
  const reason = inner instanceof Error && inner.message !== '' ? inner.message : String(cause);
  if (changes && !(typeof code === 'string' && NOT_SENT.has(code))) {
    return new LakeError('unknown-outcome', `The catalog did not answer: ${reason}`, {
      where,
      hint: UNKNOWN_HINT,
      cause,
    });
  }
  return new LakeError('unavailable', `The catalog at ${where} does not answer: ${reason}`, {
    where,
    hint: 'Check that it runs and that the address in lake.yaml is right (start it with `lake catalog serve`). Nothing was changed.',
    cause,
  });
}

/** A member of a value of unknown shape. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
