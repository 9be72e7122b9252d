import { LakeError } from '../../src/errors.ts';
import type { Page, PageRequest } from './page.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';

/** A service account. Its id is what tokens and grants name: a principal that is made anew under the same name is another one. */
export interface Principal {
  readonly id: string;
  /** What it signs in with: the client id. */
  readonly name: string;
  readonly createdAtMs: number;
  readonly disabledAtMs: number | null;
}

/** What is kept of a secret. `hash` as `secrets.ts` makes it; null `expiresAtMs` for the newest one. */
export interface SecretHash {
  readonly id: string;
  readonly hash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

/** Old and new, while the old one runs out. */
const VALID_SECRETS = 2;
const COLUMNS = 'principal_id, name, created_at_ms, disabled_at_ms';

/** Errors: `already-exists`. */
export async function createPrincipal(sql: Sql, principal: Principal, secret: SecretHash): Promise<void> {
  const made = await sql.run(
    'INSERT INTO principals VALUES (?, ?, ?, NULL) ON CONFLICT DO NOTHING',
    principal.id,
    principal.name,
    principal.createdAtMs,
  );
  if (made === 0) throw new LakeError('already-exists', `Principal already exists: ${principal.name}`);
  await insertSecret(sql, principal.id, secret);
}

export async function listPrincipals(sql: Sql, page: PageRequest): Promise<Page<Principal>> {
  const rows = await sql.all(
    `SELECT ${COLUMNS} FROM principals WHERE name > ? ORDER BY name LIMIT ?`,
    page.after ?? '',
    limitOf(page),
  );
  return toPage(rows.map(principalOf), page, ({ name }) => name);
}

/** Errors: `not-found`. */
export async function requirePrincipal(sql: Sql, name: string): Promise<Principal> {
  const row = await sql.get(`SELECT ${COLUMNS} FROM principals WHERE name = ?`, name);
  if (row === undefined) throw noSuchPrincipal(name);
  return principalOf(row);
}

export async function findPrincipalById(sql: Sql, id: string): Promise<Principal | null> {
  const row = await sql.get(`SELECT ${COLUMNS} FROM principals WHERE principal_id = ?`, id);
  return row === undefined ? null : principalOf(row);
}

/** The principal and its secrets that have not expired; null for nobody of that name. */
export async function findSecrets(
  sql: Sql,
  name: string,
  nowMs: number,
): Promise<{ readonly principal: Principal; readonly secrets: readonly SecretHash[] } | null> {
  const row = await sql.get(`SELECT ${COLUMNS} FROM principals WHERE name = ?`, name);
  if (row === undefined) return null;
  const principal = principalOf(row);
  const rows = await sql.all(
    `SELECT secret_id, hash, created_at_ms, expires_at_ms FROM principal_secrets
     WHERE principal_id = ? AND (expires_at_ms IS NULL OR expires_at_ms > ?)
     ORDER BY created_at_ms DESC, secret_id`,
    principal.id,
    nowMs,
  );
  return { principal, secrets: rows.slice(0, VALID_SECRETS).map(secretOf) };
}

/**
 * Adds a secret; the newest one before it is good until `oldUntilMs`, any older one is gone at once.
 * Errors: `not-found`.
 */
export async function rotateSecret(
  sql: Sql,
  name: string,
  secret: SecretHash,
  oldUntilMs: number,
): Promise<Principal> {
  const { id, ...rest } = await requirePrincipal(sql, name);
  await sql.run('DELETE FROM principal_secrets WHERE principal_id = ? AND expires_at_ms IS NOT NULL', id);
  if (oldUntilMs <= secret.createdAtMs) {
    await sql.run('DELETE FROM principal_secrets WHERE principal_id = ?', id);
  } else {
    await sql.run('UPDATE principal_secrets SET expires_at_ms = ? WHERE principal_id = ?', oldUntilMs, id);
  }
  await insertSecret(sql, id, secret);
  return { id, ...rest };
}

/** Switches a principal off (`atMs`) or on again (null). Errors: `not-found`. */
export async function setDisabled(sql: Sql, name: string, atMs: number | null): Promise<Principal> {
  const principal = await requirePrincipal(sql, name);
  await sql.run('UPDATE principals SET disabled_at_ms = ? WHERE principal_id = ?', atMs, principal.id);
  return { ...principal, disabledAtMs: atMs };
}

/** Takes its secrets, memberships and grants along. Errors: `not-found`. */
export async function deletePrincipal(sql: Sql, name: string): Promise<void> {
  const { id } = await requirePrincipal(sql, name);
  await sql.run("DELETE FROM role_members WHERE kind = 'principal' AND member = ?", id);
  await sql.run('DELETE FROM access_grants WHERE grantee = ?', id);
  await sql.run('DELETE FROM principals WHERE principal_id = ?', id);
}

async function insertSecret(sql: Sql, principalId: string, secret: SecretHash): Promise<void> {
  const { id, hash, createdAtMs, expiresAtMs } = secret;
  await sql.run(
    'INSERT INTO principal_secrets VALUES (?, ?, ?, ?, ?)',
    id,
    principalId,
    hash,
    createdAtMs,
    expiresAtMs,
  );
}

export function noSuchPrincipal(name: string): LakeError {
  return new LakeError('not-found', `Principal does not exist: ${name}`, {
    hint: 'lake catalog principal list shows those that do.',
  });
}

function principalOf(row: Row): Principal {
  const disabled = row['disabled_at_ms'];
  return {
    id: String(row['principal_id']),
    name: String(row['name']),
    createdAtMs: Number(row['created_at_ms']),
    disabledAtMs: disabled === null ? null : Number(disabled),
  };
}

function secretOf(row: Row): SecretHash {
  const expires = row['expires_at_ms'];
  return {
    id: String(row['secret_id']),
    hash: String(row['hash']),
    createdAtMs: Number(row['created_at_ms']),
    expiresAtMs: expires === null ? null : Number(expires),
  };
}
