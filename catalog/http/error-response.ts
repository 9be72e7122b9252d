import { type ErrorKind, LakeError } from '../../src/errors.ts';

interface Answer {
  readonly status: number;
  readonly type: string;
}

/** Each kind as the REST spec's error model has it. 503 says for certain that nothing was applied. */
const ANSWERS: Readonly<Record<ErrorKind, Answer>> = {
  usage: { status: 400, type: 'BadRequestException' },
  'invalid-file': { status: 400, type: 'BadRequestException' },
  'invalid-argument': { status: 400, type: 'BadRequestException' },
  'not-found': { status: 404, type: 'NotFoundException' },
  'already-exists': { status: 409, type: 'AlreadyExistsException' },
  'not-empty': { status: 409, type: 'NamespaceNotEmptyException' },
  conflict: { status: 409, type: 'CommitFailedException' },
  'stale-plan': { status: 409, type: 'CommitFailedException' },
  'unknown-outcome': { status: 500, type: 'CommitStateUnknownException' },
  corrupt: { status: 500, type: 'InternalServerError' },
  unsupported: { status: 406, type: 'UnsupportedOperationException' },
  'check-failed': { status: 409, type: 'CommitFailedException' },
  unavailable: { status: 503, type: 'ServiceUnavailableException' },
  forbidden: { status: 403, type: 'ForbiddenException' },
  internal: { status: 500, type: 'InternalServerError' },
};

/** Exceptions whose status is not their kind's. */
const STATUS_OF: Readonly<Record<string, number>> = {
  UnprocessableEntityException: 422,
  NotFoundException: 404,
  NotAuthorizedException: 401,
  TooManyRequestsException: 429,
};

/** Body of an error answer: the spec's fields, and Lakewarden's own that its client reads back. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly code: number;
    readonly kind?: ErrorKind;
    readonly where?: string;
    readonly hint?: string;
    /** Of the request, for failures that the log tells more of. */
    readonly 'request-id'?: string;
  };
}

/** True for a request that was sent away before anything was done. */
export function isRejection(error: unknown): boolean {
  return error instanceof LakeError && error.context['retryAfterSeconds'] !== undefined;
}

/** Seconds after which a request that certainly did nothing may be sent again; null for other answers. */
export function retryAfter(error: unknown, status: number): number | null {
  if (error instanceof LakeError && isRejection(error)) return Number(error.context['retryAfterSeconds']);
  return status === 503 ? 1 : null;
}

/** The answer to a request that failed. Errors of unknown origin say nothing of their inside. */
export function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof LakeError)) return foreignError(error);
  const { status, type } = ANSWERS[error.kind];
  const named = error.context['type'];
  const code = (typeof named === 'string' ? STATUS_OF[named] : undefined) ?? status;
  return {
    error: {
      message: error.message,
      type: typeof named === 'string' ? named : type,
      code,
      kind: error.kind,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
  };
}

function foreignError(error: unknown): ErrorBody {
  const status =
    error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
      ? error.statusCode
      : 500;
  if (status >= 500 || !(error instanceof Error)) {
    return {
      error: {
        message: 'The catalog met a defect of its own; its log says more.',
        type: 'InternalServerError',
        code: 500,
        kind: 'internal',
      },
    };
  }
  return { error: { message: error.message, type: 'BadRequestException', code: status } };
}
