import type { Sql } from './sql-database.ts';

/** A key that tokens are signed with. Whoever reads it can make tokens: it stands only in the database. */
export interface SigningKey {
  readonly id: string;
  /** Private JSON web key, as JSON text. */
  readonly privateJwk: string;
  readonly createdAtMs: number;
}

/** Newest first. */
export async function listSigningKeys(sql: Sql): Promise<readonly SigningKey[]> {
  const rows = await sql.all(
    'SELECT key_id, private_jwk, created_at_ms FROM signing_keys ORDER BY created_at_ms DESC, key_id',
  );
  return rows.map((row) => ({
    id: String(row['key_id']),
    privateJwk: String(row['private_jwk']),
    createdAtMs: Number(row['created_at_ms']),
  }));
}

/** Adds a key unless one was made since `unlessSinceMs`; forgets those made before `forgetBeforeMs`. */
export async function addSigningKey(
  sql: Sql,
  key: SigningKey,
  { unlessSinceMs, forgetBeforeMs }: { readonly unlessSinceMs: number; readonly forgetBeforeMs: number },
): Promise<void> {
  const newer = await sql.get(
    'SELECT 1 AS one FROM signing_keys WHERE created_at_ms >= ? LIMIT 1',
    unlessSinceMs,
  );
  await sql.run('DELETE FROM signing_keys WHERE created_at_ms < ?', forgetBeforeMs);
  if (newer !== undefined) return;
  await sql.run('INSERT INTO signing_keys VALUES (?, ?, ?)', key.id, key.privateJwk, key.createdAtMs);
}
