import type { ErrorKind } from '../errors.ts';
import { LakeError } from '../errors.ts';
import { notFound, systemCode } from './storage-errors.ts';

interface Meaning {
  readonly kind: ErrorKind;
  readonly hint: string;
}

const CREDENTIALS: Meaning = {
  kind: 'forbidden',
  hint: 'Check access_key_id and secret_access_key under "storage" in lake.yaml, or the AWS credentials of the environment.',
};
const SLOW: Meaning = {
  kind: 'unavailable',
  hint: 'It was tried again with growing pauses and failed each time: wait a little, then run the command again.',
};

/** What the codes of S3 servers mean to us, and what to do about them. */
const CODES: Readonly<Record<string, Meaning>> = {
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  CredentialsProviderError: CREDENTIALS,
  AccessDenied: {
    kind: 'forbidden',
    hint: 'Grant these credentials the right to read, write, list and delete below this location.',
  },
  NoSuchBucket: {
    kind: 'unavailable',
    hint: 'Create the bucket, or correct the location in lake.yaml; Lakewarden makes no buckets.',
  },
  RequestTimeTooSkewed: {
    kind: 'unavailable',
    hint: "Set this machine's clock: it is off from the server's.",
  },
  InvalidStorageClass: {
    kind: 'invalid-argument',
    hint: "Correct or remove the tier's storage_class in lake.yaml: this server does not have it. Nothing was written.",
  },
  InvalidObjectState: {
    kind: 'unavailable',
    hint: 'The object lies in an archive class and cannot be read as it is: bring its partition back with `lake tier restore TABLE --partitions FROM..TO`, which asks the server for its bytes and waits for them.',
  },
  GlacierExpeditedRetrievalNotAvailable: {
    kind: 'unavailable',
    hint: 'The server has no room for expedited retrievals now: try again later, or without --thaw expedited.',
  },
  SlowDown: SLOW,
  ServiceUnavailable: SLOW,
  InternalError: SLOW,
  RequestTimeout: SLOW,
  ConditionalRequestConflict: SLOW,
  OperationAborted: SLOW,
};

const NO_ANSWER: Meaning = {
  kind: 'unavailable',
  hint: 'Check the endpoint under "storage" in lake.yaml, the network and the server; then try again.',
};

/** The server's code of an error (`NoSuchKey`, `SlowDown`), else its name. */
export function s3Code(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('Code' in error && typeof error.Code === 'string') return error.Code;
  return systemCode(error) === '' || error.name !== 'Error' ? error.name : systemCode(error);
}

/** The HTTP status of an error; 0 for one that is no answer. */
export function s3Status(error: unknown): number {
  return metadataOf(error, 'httpStatusCode') ?? 0;
}

/** How often the SDK sent the request that ended in this error. */
export function s3Attempts(error: unknown): number {
  return metadataOf(error, 'attempts') ?? 1;
}

function metadataOf(error: unknown, name: 'httpStatusCode' | 'attempts'): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  const metadata: unknown = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !(name in metadata)) return undefined;
  const value: unknown = Reflect.get(metadata, name);
  return typeof value === 'number' ? value : undefined;
}

export const isMissing = (error: unknown): boolean =>
  s3Status(error) === 404 && s3Code(error) !== 'NoSuchBucket' && s3Code(error) !== 'NoSuchUpload';

export const isFailedCondition = (error: unknown): boolean => s3Status(error) === 412;

/** True if the request may have been applied all the same: no answer, or a server's failure. */
export const isUncertain = (error: unknown): boolean => s3Status(error) === 0 || s3Status(error) >= 500;

/** Turns an error of the SDK into the `LakeError` that an object store promises. */
export function fromS3Error(error: unknown, location: string): LakeError {
  if (error instanceof LakeError) return error;
  if (isMissing(error)) return notFound(location, error);
  const code = s3Code(error);
  const status = s3Status(error);
  const meaning = CODES[code] ?? byStatus(status);
  const reason =
    error instanceof Error && error.message !== '' && error.message !== 'UnknownError'
      ? `: ${error.message}`
      : '';
  const said = [status === 0 ? '' : `HTTP ${status}`, code].filter((part) => part !== '').join(' ');
  return new LakeError(meaning.kind, `S3 storage failed at ${location} (${said})${reason}`, {
    where: location,
    hint: meaning.hint,
    cause: error,
  });
}

function byStatus(status: number): Meaning {
  if (status === 401 || status === 403) return CODES['AccessDenied'] ?? CREDENTIALS;
  if (status === 0) return NO_ANSWER;
  if (status >= 500 || status === 429) return SLOW;
  return { kind: 'unavailable', hint: 'The server refused the request; nothing was written.' };
}
