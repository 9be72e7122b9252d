import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCHEMA } from '../catalog/lake.ts';
import { type Answer, type GuardedCatalog, guardedCatalog, type Send } from './guarded-catalog.ts';

let catalog: GuardedCatalog;
let bob: Send;
let secret: { readonly uuid: string; readonly location: string };

const named = (namespace: readonly string[], name: string) => ({ namespace, name });
const setProperty = { requirements: [], updates: [{ action: 'set-properties', updates: { k: 'v' } }] };

beforeEach(async () => {
  catalog = await guardedCatalog();
  secret = await catalog.table(['hr'], 'salaries');
  await catalog.table(['hr', 'eu'], 'people');
  await catalog.table(['shop'], 'orders');
  await catalog.table(['shop'], 'returns');
  await catalog.grant('bob', 'read', { kind: 'table', name: named(['shop'], 'orders') });
  bob = await catalog.as('bob');
});
afterEach(() => catalog.dispose());

/** What an answer tells, names aside: hidden and missing things have to be told alike. */
function told({ status, headers, body }: Answer, names: readonly string[]): string {
  let text = JSON.stringify(body);
  for (const name of names) text = text.replaceAll(name, '*');
  return `${status} ${headers['content-type']} ${headers['etag']} ${text}`;
}

describe('what a caller has no right on', () => {
  it('is left out of every list, with no trace in the pages', async () => {
    const { body } = await bob('GET', '/v1/namespaces');
    expect(body.namespaces).toEqual([['shop']]);
    const paged = await bob('GET', '/v1/namespaces?pageToken=&pageSize=1');
    expect(paged.body).toEqual({ namespaces: [['shop']], 'next-page-token': null });
    const tables = await bob('GET', '/v1/namespaces/shop/tables?pageToken=&pageSize=1');
    expect(tables.body).toEqual({ identifiers: [named(['shop'], 'orders')], 'next-page-token': null });
    await catalog.grant('bob', 'read', { kind: 'namespace', levels: ['hr', 'eu'] });
    expect((await bob('GET', '/v1/namespaces')).body.namespaces).toEqual([['hr'], ['shop']]);
    expect((await bob('GET', '/v1/namespaces?parent=hr')).body.namespaces).toEqual([['hr', 'eu']]);
    expect((await bob('GET', '/v1/namespaces/hr/tables')).body.identifiers).toEqual([]);
    expect((await bob('GET', '/v1/namespaces/hr%1Feu/tables')).body.identifiers).toEqual([
      named(['hr', 'eu'], 'people'),
    ]);
  });

  it('is answered like what does not exist, by every verb', async () => {
    const view = {
      name: 'v',
      schema: SCHEMA,
      'view-version': {
        'version-id': 1,
        'schema-id': 0,
        'timestamp-ms': 1,
        summary: {},
        representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
        'default-namespace': ['hr'],
      },
    };
    await catalog.operator('POST', '/v1/namespaces/hr/views', { ...view, name: 'payroll' });
    const table = (name: string) => `/v1/namespaces/hr/tables/${name}`;
    const asked: readonly ((ns: string, name: string, view: string) => Promise<Answer>)[] = [
      (ns) => bob('GET', `/v1/namespaces/${ns}`),
      (ns) => bob('HEAD', `/v1/namespaces/${ns}`),
      (ns) => bob('DELETE', `/v1/namespaces/${ns}`),
      (ns) => bob('POST', `/v1/namespaces/${ns}/properties`, {}),
      (ns) => bob('GET', `/v1/namespaces?parent=${ns}`),
      (ns) => bob('GET', `/v1/namespaces/${ns}/tables`),
      (ns) => bob('GET', `/v1/namespaces/${ns}/views`),
      (ns) => bob('POST', '/v1/namespaces', { namespace: [ns] }),
      (ns) => bob('POST', '/v1/namespaces', { namespace: [ns, 'x'] }),
      (ns, name) => bob('POST', `/v1/namespaces/${ns}/tables`, { name, schema: SCHEMA }),
      (ns, name) =>
        bob('POST', `/v1/namespaces/${ns}/tables`, { name, schema: SCHEMA, 'stage-create': true }),
      (ns, name) =>
        bob('POST', `/v1/namespaces/${ns}/register`, { name, 'metadata-location': secret.location }),
      (ns) => bob('POST', `/v1/namespaces/${ns}/views`, view),
      (_ns, name) => bob('GET', table(name)),
      (_ns, name) => bob('HEAD', table(name)),
      (_ns, name) => bob('DELETE', table(name)),
      (_ns, name) => bob('DELETE', `${table(name)}?purgeRequested=true`),
      (_ns, name) => bob('POST', table(name), setProperty),
      (_ns, name) => bob('POST', `${table(name)}/unregister`),
      (_ns, name) => bob('POST', `${table(name)}/metrics`, { 'report-type': 'scan-report' }),
      (_ns, name) => bob('POST', `${table(name)}/plan`, {}),
      (_ns, name) => bob('GET', `${table(name)}/credentials`),
      (_ns, name) =>
        bob('POST', '/v1/tables/rename', { source: named(['hr'], name), destination: named(['shop'], 'x') }),
      (ns) =>
        bob('POST', '/v1/tables/rename', {
          source: named(['shop'], 'orders'),
          destination: named([ns], 'x'),
        }),
      (_ns, name) =>
        bob('POST', '/v1/transactions/commit', {
          'table-changes': [{ identifier: named(['hr'], name), ...setProperty }],
        }),
      (_ns, _name, view) => bob('GET', `/v1/namespaces/hr/views/${view}`),
      (_ns, _name, view) => bob('HEAD', `/v1/namespaces/hr/views/${view}`),
      (_ns, _name, view) => bob('DELETE', `/v1/namespaces/hr/views/${view}`),
      (_ns, _name, view) => bob('POST', `/v1/namespaces/hr/views/${view}`, setProperty),
    ];
    for (const [at, ask] of asked.entries()) {
      const hidden = told(await ask('hr', 'salaries', 'payroll'), ['hr', 'salaries', 'payroll']);
      const missing = told(await ask('zz', 'nonexistent', 'nothing'), ['zz', 'hr', 'nonexistent', 'nothing']);
      expect(`${at} ${hidden}`).toBe(`${at} ${missing}`);
      expect(hidden.startsWith('404') || hidden.startsWith('403')).toBe(true);
    }
  });

  it('is not given away by ids either', async () => {
    const missing = '00000000-0000-4000-8000-000000000000';
    const lease = await catalog.operator('POST', '/lake/v1/leases', {
      'table-uuid': secret.uuid,
      holder: 'h',
      'ttl-ms': 60_000,
    });
    const leaseId = String(lease.body['lease-id']);
    await catalog.operator('POST', '/lake/v1/relocations', {
      'relocation-id': 'r-1',
      'lease-id': leaseId,
      namespace: ['hr'],
      table: 'salaries',
      'table-uuid': secret.uuid,
      'grace-ms': 0,
      plan: {},
    });
    await catalog.operator('DELETE', '/v1/namespaces/hr%1Feu/tables/people');
    const [dropped] = (await catalog.operator('GET', '/lake/v1/dropped-tables')).body['dropped-tables'];
    const acquire = (uuid: string) =>
      bob('POST', '/lake/v1/leases', { 'table-uuid': uuid, holder: 'b', 'ttl-ms': 1 });
    const pairs: readonly (readonly [Answer, Answer, string])[] = [
      [await acquire(secret.uuid), await acquire(missing), secret.uuid],
      [
        await bob('POST', `/lake/v1/leases/${leaseId}/renew`, { 'ttl-ms': 1 }),
        await bob('POST', `/lake/v1/leases/${missing}/renew`, { 'ttl-ms': 1 }),
        leaseId,
      ],
      [
        await bob('DELETE', `/lake/v1/leases/${leaseId}`),
        await bob('DELETE', `/lake/v1/leases/${missing}`),
        leaseId,
      ],
      [
        await bob('GET', '/lake/v1/relocations/r-1'),
        await bob('GET', `/lake/v1/relocations/${missing}`),
        'r-1',
      ],
      [
        await bob('GET', `/lake/v1/dropped-tables/${dropped.id}`),
        await bob('GET', `/lake/v1/dropped-tables/${missing}`),
        dropped.id,
      ],
      [
        await bob('POST', `/lake/v1/dropped-tables/${dropped.id}/undrop`),
        await bob('POST', `/lake/v1/dropped-tables/${missing}/undrop`),
        dropped.id,
      ],
    ];
    for (const [hidden, absent, id] of pairs) {
      expect(hidden.status).toBe(404);
      expect(told(hidden, [id])).toBe(told(absent, [missing]));
    }
    expect((await bob('GET', '/lake/v1/dropped-tables')).body['dropped-tables']).toEqual([]);
  });

  it('cannot be taken over by its uuid', async () => {
    await catalog.grant('bob', 'manage', { kind: 'namespace', levels: ['shop'] });
    const register = async (location: string) =>
      bob('POST', '/v1/namespaces/shop/register', { name: 'mine', 'metadata-location': location });
    const standing = await register(secret.location);
    expect(standing.status).toBe(409);
    expect(JSON.stringify(standing.body)).not.toContain('salaries');
    await catalog.operator('DELETE', '/v1/namespaces/hr/tables/salaries');
    const dropped = await register(secret.location);
    expect(told(dropped, [])).toBe(told(standing, []));
    const [record] = (await catalog.operator('GET', '/lake/v1/dropped-tables')).body['dropped-tables'];
    expect(record).toMatchObject({ table: 'salaries', state: 'dropped' });
    const staged = await bob('POST', '/v1/namespaces/shop/tables/mine', {
      requirements: [{ type: 'assert-create' }],
      updates: [{ action: 'assign-uuid', uuid: secret.uuid }],
    });
    expect(told(staged, [])).toBe(told(standing, []));
    expect((await catalog.operator('POST', `/lake/v1/dropped-tables/${record.id}/undrop`)).status).toBe(200);
  });
});

describe('what a caller sees and may not do', () => {
  it('is forbidden, and the answer says what it takes', async () => {
    const answer = await bob('POST', '/v1/namespaces/shop/tables/orders', setProperty);
    expect(answer).toMatchObject({ status: 403, body: { error: { type: 'ForbiddenException', code: 403 } } });
    expect(answer.body.error.message).toContain('write');
    expect((await bob('DELETE', '/v1/namespaces/shop/tables/orders')).status).toBe(403);
    expect((await bob('DELETE', '/v1/namespaces/shop')).status).toBe(403);
    expect((await bob('POST', '/v1/namespaces', { namespace: ['shop', 'x'] })).status).toBe(403);
  });

  it('stays with the table through renames, drops and new tables of the same name', async () => {
    const { operator } = catalog;
    const rename = { source: named(['shop'], 'orders'), destination: named(['hr'], 'orders_old') };
    expect((await operator('POST', '/v1/tables/rename', rename)).status).toBe(204);
    expect((await bob('GET', '/v1/namespaces/hr/tables/orders_old')).status).toBe(200);
    expect((await bob('GET', '/v1/namespaces/hr')).status).toBe(200);
    expect((await bob('GET', '/v1/namespaces/shop')).status).toBe(404);
    await catalog.table(['shop'], 'orders');
    expect((await bob('GET', '/v1/namespaces/shop/tables/orders')).status).toBe(404);
    await operator('DELETE', '/v1/namespaces/hr/tables/orders_old');
    expect((await bob('GET', '/v1/namespaces/hr')).status).toBe(404);
    const [dropped] = (await operator('GET', '/lake/v1/dropped-tables')).body['dropped-tables'];
    await operator('POST', `/lake/v1/dropped-tables/${dropped.id}/undrop`, { to: named(['shop'], 'back') });
    expect((await bob('GET', '/v1/namespaces/shop/tables/back')).status).toBe(200);
  });

  it('goes with the namespace that it was granted on', async () => {
    await catalog.operator('POST', '/v1/namespaces', { namespace: ['lab'] });
    await catalog.grant('bob', 'manage', { kind: 'namespace', levels: ['lab'] });
    expect((await bob('DELETE', '/v1/namespaces/lab')).status).toBe(204);
    await catalog.operator('POST', '/v1/namespaces', { namespace: ['lab'] });
    expect((await bob('GET', '/v1/namespaces/lab')).status).toBe(404);
  });

  it('needs rights on both sides of a rename, and on every table of a transaction', async () => {
    await catalog.grant('bob', 'manage', { kind: 'namespace', levels: ['shop'] });
    const out = { source: named(['shop'], 'orders'), destination: named(['hr'], 'x') };
    expect((await bob('POST', '/v1/tables/rename', out)).status).toBe(404);
    await catalog.grant('bob', 'write', { kind: 'namespace', levels: ['hr'] });
    expect((await bob('POST', '/v1/tables/rename', out)).status).toBe(403);
    const into = { source: named(['hr'], 'salaries'), destination: named(['shop'], 'x') };
    expect((await bob('POST', '/v1/tables/rename', into)).status).toBe(403);
    await catalog.revoke('bob', 'write', { kind: 'namespace', levels: ['hr'] });

    const both = [named(['shop'], 'orders'), named(['hr'], 'salaries')];
    const changes = both.map((identifier) => ({ identifier, ...setProperty }));
    expect((await bob('POST', '/v1/transactions/commit', { 'table-changes': changes })).status).toBe(404);
    const untouched = await catalog.operator('GET', '/v1/namespaces/shop/tables/orders');
    expect(untouched.body.metadata.properties).toEqual({});
    await catalog.grant('bob', 'write', { kind: 'table', name: named(['hr'], 'salaries') });
    expect((await bob('POST', '/v1/transactions/commit', { 'table-changes': changes })).status).toBe(204);
  });

  it('tells upkeep, writing and owning a table apart', async () => {
    const table = '/v1/namespaces/shop/tables/returns';
    const commit = (send: Send, updates: readonly unknown[]) =>
      send('POST', table, { requirements: [], updates });
    const on = { kind: 'table', name: named(['shop'], 'returns') } as const;
    for (const privilege of ['write', 'maintain', 'manage', 'steward'] as const) {
      await catalog.grant(`one-${privilege}`, privilege, on);
    }
    const expire = [{ action: 'remove-snapshots', 'snapshot-ids': [7] }];
    const dropRef = [{ action: 'remove-snapshot-ref', 'ref-name': 'old' }];
    const empty = [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }];
    const property = setProperty.updates;
    const move = [{ action: 'set-location', location: 'file:///elsewhere' }];
    const refused = async (who: string, updates: readonly unknown[]) =>
      (await commit(await catalog.as(who), updates)).status === 403;
    const found = await Promise.all(
      ['write', 'maintain', 'manage', 'steward'].map(async (privilege) => [
        privilege,
        await refused(`one-${privilege}`, property),
        await refused(`one-${privilege}`, expire),
        await refused(`one-${privilege}`, dropRef),
        await refused(`one-${privilege}`, move),
        await refused(`one-${privilege}`, empty),
      ]),
    );
    expect(found).toEqual([
      ['write', false, true, false, true, false],
      ['maintain', true, false, false, true, true],
      ['manage', false, false, false, false, false],
      ['steward', true, true, true, true, true],
    ]);
  });
});

describe('grants', () => {
  const grant = (privilege: string, on: unknown, name = 'carol') => ({
    grantee: { kind: 'principal', name },
    privilege,
    on,
  });

  it('are given by who manages, of what they hold, and no more', async () => {
    await catalog.as('carol');
    const shop = { kind: 'namespace', levels: ['shop'] } as const;
    const send = (privilege: string, on: unknown) => bob('POST', '/lake/v1/grants', grant(privilege, on));
    expect((await send('read', shop)).status).toBe(403);
    await catalog.grant('bob', 'manage', shop);
    expect((await send('read', shop)).status).toBe(204);
    expect((await send('manage', { kind: 'table', name: named(['shop'], 'orders') })).status).toBe(204);
    expect((await send('steward', shop)).status).toBe(403);
    expect((await send('read', { kind: 'namespace', levels: ['hr'] })).status).toBe(404);
    expect((await send('read', { kind: 'catalog' })).status).toBe(403);
    expect((await bob('POST', '/lake/v1/principals', { name: 'eve' })).status).toBe(403);
    const carol = await catalog.as('carol');
    expect((await carol('GET', '/v1/namespaces/shop/tables/orders')).status).toBe(200);
    expect((await bob('POST', '/lake/v1/grants/revoke', grant('read', shop))).status).toBe(204);
    expect((await carol('GET', '/v1/namespaces/shop/tables/returns')).status).toBe(404);
  });

  it('are listed page by page, by who and by what', async () => {
    await catalog.grant('bob', 'write', { kind: 'namespace', levels: ['shop'] });
    await catalog.grant('bob', 'maintain', { kind: 'catalog' });
    const { operator } = catalog;
    const all = (await operator('GET', '/lake/v1/grants?grantee-kind=principal&grantee-name=bob')).body
      .grants;
    expect(all).toHaveLength(3);
    const seen = [];
    for (let token: string | null = ''; token !== null; ) {
      const query: string = token === '' ? '' : `&page-token=${token}`;
      const page = await operator(
        'GET',
        `/lake/v1/grants?grantee-kind=principal&grantee-name=bob&page-size=1${query}`,
      );
      seen.push(...page.body.grants);
      token = page.body['next-page-token'];
    }
    expect(seen).toEqual(all);
    const on = encodeURIComponent(JSON.stringify({ kind: 'table', name: named(['shop'], 'orders') }));
    const onOrders = (await operator('GET', `/lake/v1/grants?on=${on}`)).body.grants;
    expect(onOrders).toMatchObject([{ grantee: { name: 'bob' }, privilege: 'read', on: { kind: 'table' } }]);
  });
});
