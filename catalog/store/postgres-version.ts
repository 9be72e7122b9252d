import pg from 'pg';
import { fromPostgres } from './postgres-errors.ts';
import { postgresPlace } from './postgres-place.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** The version of the schema at a `postgres://` URL; 0 where there are no tables of ours. Changes nothing. Errors: `usage`, `unavailable`. */
export async function postgresVersion(url: string): Promise<number> {
  const { config, schema, where } = postgresPlace(url);
  const client = new pg.Client({ ...config, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const found = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [
      `${schema}.schema_version`,
    ]);
    if (found.rows[0]?.['there'] !== true) return 0;
    const { rows } = await client.query(`SELECT version FROM ${schema}.schema_version`);
    return Number(rows[0]?.['version'] ?? 0);
  } catch (error) {
    throw fromPostgres(error, where);
  } finally {
    await client.end().catch(() => undefined);
  }
}
