import { LakeError } from '../../src/errors.ts';
import { requirePrincipal } from './access-principals.ts';
import type { Page, PageRequest } from './page.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';

export interface Role {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
}

/**
 * Who is in a role: a principal (its name), whoever has the value in the roles claim of their OIDC token, or the one subject of the OIDC
 * issuer.
 */
export const MEMBER_KINDS = ['principal', 'claim', 'subject'] as const;
export interface Member {
  readonly kind: (typeof MEMBER_KINDS)[number];
  readonly name: string;
}

/** Errors: `already-exists`. */
export async function createRole(sql: Sql, { id, name, createdAtMs }: Role): Promise<void> {
  const made = await sql.run(
    'INSERT INTO roles VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    id,
    name,
    createdAtMs,
  );
  if (made === 0) throw new LakeError('already-exists', `Role already exists: ${name}`);
}

/** Errors: `not-found`. */
export async function requireRole(sql: Sql, name: string): Promise<Role> {
  const row = await sql.get('SELECT role_id, name, created_at_ms FROM roles WHERE name = ?', name);
  if (row === undefined) {
    throw new LakeError('not-found', `Role does not exist: ${name}`, {
      hint: 'lake catalog role list shows those that do.',
    });
  }
  return roleOf(row);
}

export async function listRoles(sql: Sql, page: PageRequest): Promise<Page<Role>> {
  const rows = await sql.all(
    'SELECT role_id, name, created_at_ms FROM roles WHERE name > ? ORDER BY name LIMIT ?',
    page.after ?? '',
    limitOf(page),
  );
  return toPage(rows.map(roleOf), page, ({ name }) => name);
}

/** Takes its members and grants along. Errors: `not-found`. */
export async function deleteRole(sql: Sql, name: string): Promise<void> {
  const { id } = await requireRole(sql, name);
  await sql.run('DELETE FROM access_grants WHERE grantee = ?', id);
  await sql.run('DELETE FROM roles WHERE role_id = ?', id);
}

/** By kind and name. */
export async function membersOf(sql: Sql, roleId: string): Promise<readonly Member[]> {
  const rows = await sql.all(
    `SELECT m.kind AS kind, COALESCE(p.name, m.member) AS name FROM role_members m
     LEFT JOIN principals p ON m.kind = 'principal' AND p.principal_id = m.member
     WHERE m.role_id = ? ORDER BY m.kind, name`,
    roleId,
  );
  return rows.flatMap((row) => {
    const kind = MEMBER_KINDS.find((one) => one === row['kind']);
    return kind === undefined ? [] : [{ kind, name: String(row['name']) }];
  });
}

/** Does nothing for one who is a member already. Errors: `not-found` for the role or the principal. */
export async function addMember(sql: Sql, role: string, member: Member): Promise<void> {
  const { id } = await requireRole(sql, role);
  await sql.run(
    'INSERT INTO role_members VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    id,
    member.kind,
    await storedMember(sql, member),
  );
}

/** Errors: `not-found` for the role, the principal, or one who is no member. */
export async function removeMember(sql: Sql, role: string, member: Member): Promise<void> {
  const { id } = await requireRole(sql, role);
  const removed = await sql.run(
    'DELETE FROM role_members WHERE role_id = ? AND kind = ? AND member = ?',
    id,
    member.kind,
    await storedMember(sql, member),
  );
  if (removed === 0)
    throw new LakeError('not-found', `${member.kind} ${member.name} is no member of role ${role}`);
}

async function storedMember(sql: Sql, { kind, name }: Member): Promise<string> {
  return kind === 'principal' ? (await requirePrincipal(sql, name)).id : name;
}

function roleOf(row: Row): Role {
  return {
    id: String(row['role_id']),
    name: String(row['name']),
    createdAtMs: Number(row['created_at_ms']),
  };
}
