import { afterAll, beforeAll } from 'vitest';
import { type PostgresServer, postgresMissing, startPostgres } from './server.ts';

/** A PostgreSQL server for the tests of a file; each `place` is another catalog on it. */
export interface PostgresOfFile {
  /** Why there is none, and the tests are to be skipped; null if there is one. */
  readonly missing: string | null;
  /** URL of an empty catalog. */
  place(): string;
  /** URL of the server, as a user who may do anything. */
  url(): string;
}

let catalogs = 0;

/** Registers the start before the file's tests and the stop after them. */
export function postgresOfFile(): PostgresOfFile {
  const missing = postgresMissing();
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (missing === null) server = await startPostgres();
    else console.warn(`Skipped: ${missing}`);
  }, 60_000);
  afterAll(() => server?.stop());
  const url = () => {
    if (server === undefined) throw new Error('the server is not started');
    return server.url;
  };
  return { missing, url, place: () => `${url()}?schema=test_${process.pid}_${++catalogs}` };
}
