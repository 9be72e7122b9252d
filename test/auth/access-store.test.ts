import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as audit from '../../catalog/store/access-audit.ts';
import * as grants from '../../catalog/store/access-grants.ts';
import * as keys from '../../catalog/store/access-keys.ts';
import * as principals from '../../catalog/store/access-principals.ts';
import * as roles from '../../catalog/store/access-roles.ts';
import { droppedTable, placesOfUuid, uuidOf } from '../../catalog/store/access-securables.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { postgresOfFile } from '../postgres/catalog.ts';

const secret = (id: string, createdAtMs: number) => ({ id, hash: `h-${id}`, createdAtMs, expiresAtMs: null });

/** What every database does with accounts, roles, grants, keys and the audit log. */
function accessContract(place: () => Promise<string>, remove: () => Promise<void>): void {
  it('keeps accounts, roles, grants, keys and the audit log', async () => {
    const store = await openCatalogStore(await place(), systemClock);
    const { access } = store;
    const { sql } = access;
    try {
      const table = { namespace: ['a', 'b'], name: 't' };
      await store.createNamespace(['a', 'b'], {});
      await store.changePointers([{ ...table, uuid: 'u-1', metadataLocation: 'file:///m', expected: null }]);
      await access.change(async (tx) => {
        for (const name of ['bob', 'alice']) {
          const principal = { id: `id-${name}`, name, createdAtMs: 1, disabledAtMs: null };
          await principals.createPrincipal(tx, principal, secret(`s-${name}`, 1));
        }
        await roles.createRole(tx, { id: 'r-1', name: 'analysts', createdAtMs: 2 });
        await roles.addMember(tx, 'analysts', { kind: 'principal', name: 'bob' });
        await roles.addMember(tx, 'analysts', { kind: 'principal', name: 'bob' });
        await roles.addMember(tx, 'analysts', { kind: 'claim', name: 'data' });
        const grant = { by: 'local', atMs: 3 };
        const bob = { kind: 'principal', name: 'bob' } as const;
        const analysts = { kind: 'role', name: 'analysts' } as const;
        await grants.addGrant(tx, {
          ...grant,
          grantee: bob,
          privilege: 'write',
          on: { kind: 'table', name: table },
        });
        await grants.addGrant(tx, {
          ...grant,
          grantee: bob,
          privilege: 'write',
          on: { kind: 'table', name: table },
        });
        await grants.addGrant(tx, {
          ...grant,
          grantee: analysts,
          privilege: 'read',
          on: { kind: 'namespace', levels: ['a'] },
        });
      });
      const twice = principals.createPrincipal(
        sql,
        { id: 'other', name: 'bob', createdAtMs: 1, disabledAtMs: null },
        secret('x', 1),
      );
      await expect(twice).rejects.toMatchObject({ kind: 'already-exists' });
      expect((await principals.listPrincipals(sql, { limit: 1 })).rows.map(({ name }) => name)).toEqual([
        'alice',
      ]);
      expect(await roles.membersOf(sql, 'r-1')).toEqual([
        { kind: 'claim', name: 'data' },
        { kind: 'principal', name: 'bob' },
      ]);
      const bobs = await grants.heldBy(sql, { principalId: 'id-bob', claims: [], subject: null });
      const scopes = bobs.map(({ privilege, scope }) => [privilege, scope]);
      expect(new Set(scopes.map((one) => JSON.stringify(one)))).toEqual(
        new Set([
          JSON.stringify(['write', { kind: 'table', uuid: 'u-1', at: table }]),
          JSON.stringify(['read', { kind: 'namespace', levels: ['a'] }]),
        ]),
      );
      const byClaim = await grants.heldBy(sql, { principalId: null, claims: ['x', 'data'], subject: 'data' });
      expect(byClaim).toMatchObject([{ privilege: 'read' }]);
      const paged = await grants.listGrants(sql, {}, { limit: 1 });
      const rest = await grants.listGrants(sql, {}, { limit: 5, after: paged.next ?? '' });
      expect([...paged.rows, ...rest.rows]).toEqual((await grants.listGrants(sql, {}, {})).rows);
      expect(rest.next).toBeNull();

      await access.change((tx) => principals.rotateSecret(tx, 'bob', secret('s-2', 10), 100));
      const secretsAt = async (nowMs: number) =>
        (await principals.findSecrets(sql, 'bob', nowMs))?.secrets.map(({ id }) => id);
      expect([await secretsAt(99), await secretsAt(100)]).toEqual([['s-2', 's-bob'], ['s-2']]);
      expect(await principals.findSecrets(sql, 'nobody', 0)).toBeNull();

      expect(await uuidOf(sql, 'table', table)).toBe('u-1');
      const record = { id: 'd-1', nowMs: 5, state: 'dropped' } as const;
      await store.dropTable(table, { expected: null, record });
      expect(await uuidOf(sql, 'table', table)).toBeNull();
      expect(await droppedTable(sql, 'd-1')).toEqual({ uuid: 'u-1', namespace: ['a', 'b'] });
      expect(await placesOfUuid(sql, 'u-1')).toEqual([{ uuid: 'u-1', namespace: ['a', 'b'] }]);
      await access.change((tx) => principals.deletePrincipal(tx, 'bob'));
      expect((await grants.listGrants(sql, {}, {})).rows).toHaveLength(1);
      await store.dropNamespace(['a', 'b']);
      await store.dropNamespace(['a']);
      expect((await grants.listGrants(sql, {}, {})).rows).toEqual([]);

      const key = (id: string, createdAtMs: number) => ({ id, privateJwk: '{}', createdAtMs });
      await access.change((tx) =>
        keys.addSigningKey(tx, key('k1', 10), { unlessSinceMs: 0, forgetBeforeMs: 0 }),
      );
      await access.change((tx) =>
        keys.addSigningKey(tx, key('k2', 20), { unlessSinceMs: 5, forgetBeforeMs: 0 }),
      );
      await access.change((tx) =>
        keys.addSigningKey(tx, key('k3', 30), { unlessSinceMs: 25, forgetBeforeMs: 5 }),
      );
      expect((await keys.listSigningKeys(sql)).map(({ id }) => id)).toEqual(['k3', 'k1']);

      const entry = {
        principal: 'bob',
        action: 'POST /x',
        object: 'table t',
        outcome: 'refused',
        status: 403,
        address: '::1',
        requestId: 'r',
        note: null,
      } as const;
      for (const atMs of [1000, 1000, 2000]) await access.note({ ...entry, atMs });
      const all = await audit.listAuditEntries(sql, {}, {});
      expect(all.rows.map(({ atMs }) => atMs)).toEqual([1000, 1000, 2000]);
      const late = await audit.listAuditEntries(
        sql,
        { fromMs: 1001, principal: 'bob', outcome: 'refused' },
        {},
      );
      expect(late.rows).toMatchObject([{ ...entry, atMs: 2000 }]);
      expect(await audit.pruneAudit(sql, 2000)).toBe(2);
    } finally {
      await store.close();
      await remove();
    }
  });

  it('undoes the line of the audit log with the change', async () => {
    const store = await openCatalogStore(await place(), systemClock);
    try {
      const entry = () => ({
        atMs: 1,
        principal: 'bob',
        action: 'a',
        object: 'o',
        outcome: 'applied' as const,
        status: null,
        address: '',
        requestId: '',
        note: null,
      });
      const failing = audit.runAudited(entry, () => store.dropNamespace(['none']));
      await expect(failing).rejects.toMatchObject({ kind: 'not-found' });
      expect((await audit.listAuditEntries(store.access.sql, {}, {})).rows).toEqual([]);
      await audit.runAudited(entry, async () => {
        await store.createNamespace(['a'], {});
        await store.createNamespace(['b'], {});
      });
      expect((await audit.listAuditEntries(store.access.sql, {}, {})).rows).toHaveLength(1);
    } finally {
      await store.close();
      await remove();
    }
  });
}

describe('SQLite', () => {
  let folder = '';
  accessContract(
    async () => {
      folder = await mkdtemp(join(tmpdir(), 'lake-access-'));
      return join(folder, 'catalog.db');
    },
    () => rm(folder, { recursive: true, force: true }),
  );
});

const postgres = postgresOfFile();
describe.skipIf(postgres.missing !== null)('PostgreSQL', () => {
  accessContract(
    async () => postgres.place(),
    async () => {},
  );
});
