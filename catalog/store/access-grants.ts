import { LakeError } from '../../src/errors.ts';
import { PRIVILEGES, type Privilege } from '../auth/access.ts';
import type { GrantScope, Held } from '../auth/decide.ts';
import { requirePrincipal } from './access-principals.ts';
import { requireRole } from './access-roles.ts';
import type { Page, PageRequest, TableName } from './catalog-store.ts';
import { joinLevels, requireNamespace, splitLevels } from './namespaces.ts';
import { noSuchTable, noSuchView } from './not-there.ts';
import { limitOf, toPage } from './page.ts';
import { oneOf } from './relocations.ts';
import type { Row, Sql } from './sql-database.ts';
import { inLists, marks } from './value-lists.ts';

/** Who is granted something, by name. */
export interface Grantee {
  readonly kind: 'principal' | 'role';
  readonly name: string;
}

/** What a privilege is granted on, by name. */
export type GrantObject =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'namespace'; readonly levels: readonly string[] }
  | { readonly kind: 'table' | 'view'; readonly name: TableName };

export interface Grant {
  readonly grantee: Grantee;
  readonly privilege: Privilege;
  readonly scope: GrantScope;
  readonly grantedBy: string;
  readonly grantedAtMs: number;
}

/** Who holds privileges: a principal by id, the values of a token's roles claim, a subject of the OIDC issuer. */
export interface Identity {
  readonly principalId: string | null;
  readonly claims: readonly string[];
  readonly subject: string | null;
}

const KINDS = ['catalog', 'namespace', 'table', 'view'] as const;

/** With where a table or view stands now. Dropped ones stand nowhere. */
const WITH_PLACES = `
  SELECT g.grantee, g.privilege, g.on_kind, g.on_object, g.granted_by, g.granted_at_ms,
    COALESCE(t.namespace, v.namespace) AS at_namespace, COALESCE(t.name, v.name) AS at_name
  FROM access_grants g
  LEFT JOIN tables t ON g.on_kind = 'table' AND t.uuid = g.on_object
  LEFT JOIN views v ON g.on_kind = 'view' AND v.uuid = g.on_object`;

/** All that an identity holds, by itself and by its roles. */
export async function heldBy(sql: Sql, identity: Identity): Promise<readonly Held[]> {
  const roles = await roleIdsOf(sql, identity);
  return grantedTo(sql, identity.principalId === null ? roles : [identity.principalId, ...roles]);
}

/** What is granted to principals and roles themselves, by their ids. */
export async function grantedTo(sql: Sql, grantees: readonly string[]): Promise<readonly Held[]> {
  const held: Held[] = [];
  for (const list of inLists(grantees)) {
    const rows = await sql.all(`${WITH_PLACES} WHERE g.grantee IN (${marks(list)})`, ...list);
    held.push(
      ...rows.map((row) => ({ privilege: oneOf(PRIVILEGES, row['privilege']), scope: scopeOf(row) })),
    );
  }
  return held;
}

async function roleIdsOf(sql: Sql, { principalId, claims, subject }: Identity): Promise<readonly string[]> {
  const members: [kind: string, names: readonly string[]][] = [
    ['principal', principalId === null ? [] : [principalId]],
    ['subject', subject === null ? [] : [subject]],
    ['claim', claims],
  ];
  const ids = new Set<string>();
  for (const [kind, names] of members) {
    for (const list of inLists(names)) {
      const text = `SELECT role_id FROM role_members WHERE kind = ? AND member IN (${marks(list)})`;
      for (const row of await sql.all(text, kind, ...list)) ids.add(String(row['role_id']));
    }
  }
  return [...ids];
}

/**
 * Grants a privilege; does nothing for one that is granted already.
 * Errors: `not-found` for the grantee or the object.
 */
export async function addGrant(
  sql: Sql,
  grant: {
    readonly grantee: Grantee;
    readonly privilege: Privilege;
    readonly on: GrantObject;
    readonly by: string;
    readonly atMs: number;
  },
): Promise<void> {
  const { grantee, privilege, on, by, atMs } = grant;
  const object = await storedObject(sql, on);
  await sql.run(
    'INSERT INTO access_grants VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    await storedGrantee(sql, grantee),
    privilege,
    on.kind,
    object,
    on.kind === 'namespace' ? object : null,
    by,
    atMs,
  );
}

/** Errors: `not-found` for the grantee, the object, or a grant that is not there. */
export async function removeGrant(
  sql: Sql,
  grant: { readonly grantee: Grantee; readonly privilege: Privilege; readonly on: GrantObject },
): Promise<void> {
  const { grantee, privilege, on } = grant;
  const removed = await sql.run(
    'DELETE FROM access_grants WHERE grantee = ? AND privilege = ? AND on_kind = ? AND on_object = ?',
    await storedGrantee(sql, grantee),
    privilege,
    on.kind,
    await storedObject(sql, on),
  );
  if (removed > 0) return;
  throw new LakeError('not-found', `${grantee.kind} ${grantee.name} was not granted ${privilege} there`, {
    hint: 'Nothing was changed. It may hold it by a role, or from above: lake catalog grant list tells.',
  });
}

/** Grants in the order of their keys; of one grantee, on one object. Errors: `not-found` for either. */
export async function listGrants(
  sql: Sql,
  filter: { readonly grantee?: Grantee; readonly on?: GrantObject },
  page: PageRequest,
): Promise<Page<Grant>> {
  const conditions: string[] = [];
  const values: string[] = [];
  if (filter.grantee !== undefined) {
    conditions.push('g.grantee = ?');
    values.push(await storedGrantee(sql, filter.grantee));
  }
  if (filter.on !== undefined) {
    conditions.push('g.on_kind = ? AND g.on_object = ?');
    values.push(filter.on.kind, await storedObject(sql, filter.on));
  }
  const [grantee = '', kind = '', object = '', privilege = ''] = keyOf(page.after);
  const rows = await sql.all(
    `SELECT held.*, COALESCE(p.name, r.name) AS grantee_name, r.role_id AS role_id FROM (${WITH_PLACES}
       WHERE ${[...conditions, '(g.grantee, g.on_kind, g.on_object, g.privilege) > (?, ?, ?, ?)'].join(' AND ')}) held
     LEFT JOIN principals p ON p.principal_id = held.grantee
     LEFT JOIN roles r ON r.role_id = held.grantee
     ORDER BY held.grantee, held.on_kind, held.on_object, held.privilege LIMIT ?`,
    ...values,
    grantee,
    kind,
    object,
    privilege,
    limitOf(page),
  );
  const listed = toPage(rows, page, (row) =>
    JSON.stringify([row['grantee'], row['on_kind'], row['on_object'], row['privilege']]),
  );
  return { rows: listed.rows.map(grantOf), next: listed.next };
}

/** The parts of a page token; one that is none of ours begins at the first page. */
function keyOf(after: string | undefined): readonly string[] {
  try {
    const parts: unknown = JSON.parse(after ?? '[]');
    return Array.isArray(parts) ? parts.map(String) : [];
  } catch {
    return [];
  }
}

async function storedGrantee(sql: Sql, { kind, name }: Grantee): Promise<string> {
  return kind === 'principal' ? (await requirePrincipal(sql, name)).id : (await requireRole(sql, name)).id;
}

async function storedObject(sql: Sql, on: GrantObject): Promise<string> {
  if (on.kind === 'catalog') return '';
  if (on.kind === 'namespace') {
    await requireNamespace(sql, on.levels);
    return joinLevels(on.levels);
  }
  const table = on.kind === 'table' ? 'tables' : 'views';
  const row = await sql.get(
    `SELECT uuid FROM ${table} WHERE namespace = ? AND name = ?`,
    joinLevels(on.name.namespace),
    on.name.name,
  );
  if (row === undefined) throw on.kind === 'table' ? noSuchTable(on.name) : noSuchView(on.name);
  return String(row['uuid']);
}

function scopeOf(row: Row): GrantScope {
  const kind = oneOf(KINDS, row['on_kind']);
  const object = String(row['on_object']);
  if (kind === 'catalog') return { kind };
  if (kind === 'namespace') return { kind, levels: splitLevels(object) };
  const at = row['at_namespace'];
  if (at === null) return { kind, uuid: object, at: null };
  return { kind, uuid: object, at: { namespace: splitLevels(String(at)), name: String(row['at_name']) } };
}

function grantOf(row: Row): Grant {
  return {
    grantee: { kind: row['role_id'] === null ? 'principal' : 'role', name: String(row['grantee_name']) },
    privilege: oneOf(PRIVILEGES, row['privilege']),
    scope: scopeOf(row),
    grantedBy: String(row['granted_by']),
    grantedAtMs: Number(row['granted_at_ms']),
  };
}
