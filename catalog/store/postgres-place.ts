import pg from 'pg';
import { LakeError } from '../../src/errors.ts';

/** Where in which server a catalog lies. */
export interface PostgresPlace {
  readonly config: pg.ClientConfig;
  /** `options` of the URL: settings of the server, `-c name=value`. */
  readonly options: string;
  /** The schema that holds its tables: a database may hold several catalogs. */
  readonly schema: string;
  /** The URL without user and password. */
  readonly where: string;
}

const DEFAULT_SCHEMA = 'lakewarden';
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * Reads `postgres://user:password@host:port/database?schema=NAME&sslmode=…`; what libpq takes from PG* variables, or `host=` for a
 * socket's folder, is taken here too. Errors: `usage`.
 */
export function postgresPlace(url: string): PostgresPlace {
  const parsed = URL.parse(url);
  if (parsed === null) throw notRead('it is no URL', 'postgres://');
  const schema = parsed.searchParams.get('schema') ?? DEFAULT_SCHEMA;
  const { host, pathname } = parsed;
  const where = `postgres://${host || (parsed.searchParams.get('host') ?? '')}${pathname}?schema=${schema}`;
  if (!SCHEMA_NAME.test(schema) || schema.startsWith('pg_')) {
    throw notRead(`"${schema}" cannot be the schema's name (small letters, digits and _)`, where);
  }
  parsed.searchParams.delete('schema');
  const mode = parsed.searchParams.get('sslmode');
  // The modes mean what they mean to psql: without this the weaker ones would be verify-full.
  if (mode !== null && mode !== 'no-verify' && !parsed.searchParams.has('uselibpqcompat')) {
    parsed.searchParams.set('uselibpqcompat', 'true');
  }
  const options = parsed.searchParams.get('options') ?? '';
  parsed.searchParams.delete('options');
  const config = { connectionString: parsed.href };
  try {
    // Reads the URL, and the files that it names; connects to nothing.
    new pg.Client(config);
    return { config, options, schema, where };
  } catch (error) {
    throw notRead(error instanceof Error ? error.message : String(error), where);
  }
}

function notRead(why: string, where: string): LakeError {
  return new LakeError('usage', `The URL of the catalog database cannot be used: ${why}`, {
    where,
    hint: 'Write postgres://user:password@host:5432/database, with ?schema=NAME for another catalog in the same database.',
  });
}
