import pg from 'pg';
import { LakeError } from '../../src/errors.ts';

/** Hints by SQLSTATE, or by its class. */
const HINTS: Readonly<Record<string, string>> = {
  '28': 'Check user and password of the URL, and pg_hba.conf.',
  '3D000': 'Create the database first: CREATE DATABASE … ENCODING utf8.',
  '42501':
    'Give the user of the URL the right to create a schema in the database, or make it the owner of the schema.',
  '53300': 'The server has no connection left: raise max_connections, or run fewer replicas.',
  '53': 'Make room on the disk of the server.',
  '55P03': 'Another server of the catalog holds it for long: try again.',
  '57014': 'The server was too slow: try again.',
  '25006': 'This is a standby, or a server that takes no changes: use the URL of the primary.',
};

/** Refusals that a transaction survives no more than others, but that a repetition may get past: serialization failure, deadlock. */
const REPEATABLE = ['40001', '40P01'];

/** What PostgreSQL answered; undefined for an error of the connection, or of this program. */
function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

export const isRepeatable = (error: unknown): boolean => REPEATABLE.includes(sqlStateOf(error) ?? '');

/** True if the connection is lost, or was never made: the server ends a session with 57P01 and the like, and says 08… of it. */
export function isDisconnected(error: unknown): boolean {
  if (error instanceof LakeError) return false;
  const state = sqlStateOf(error);
  return state === undefined || state.startsWith('08') || state.startsWith('57P');
}

/**
 * True if the server's answer to COMMIT says that the transaction was undone. Whatever ends the session may have come after the
 * transaction was made durable, and says nothing of it.
 */
export function isUndone(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR') return false;
  return !isDisconnected(error);
}

/** The error of a statement, or of a transaction that was not committed. */
export function fromPostgres(error: unknown, where: string): unknown {
  if (error instanceof LakeError || !(error instanceof Error)) return error;
  const state = sqlStateOf(error);
  const hint = HINTS[state ?? ''] ?? HINTS[state?.slice(0, 2) ?? ''];
  if (state?.startsWith('22') === true || state === '54000') {
    return new LakeError('invalid-argument', `The catalog database cannot hold this: ${error.message}`, {
      hint: 'Nothing was applied: use shorter names and locations.',
      cause: error,
    });
  }
  return new LakeError('unavailable', `The catalog database failed: ${textOf(error)}`, {
    where,
    hint: `${hint ?? 'Check that the server runs and can be reached, and try again.'} Nothing was applied.`,
    cause: error,
  });
}

/** Node says nothing in the message of an error that stands for several attempts to connect. */
function textOf(error: Error): string {
  if (error.message !== '') return error.message;
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.name;
}

/** COMMIT was sent, and no answer came that says what became of it. */
export function inDoubt(cause: unknown, where: string): LakeError {
  return new LakeError(
    'unknown-outcome',
    'The connection to the catalog database failed while it committed',
    {
      where,
      hint: 'The change may or may not have been applied: reload and look before anything is deleted.',
      cause,
    },
  );
}
