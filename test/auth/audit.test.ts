import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqlDatabase } from '../../catalog/store/open-store.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type GuardedCatalog, guardedCatalog } from './guarded-catalog.ts';

let catalog: GuardedCatalog;
let nowMs = 1_800_000_000_000;
const clock: Clock = { ...systemClock, now: () => nowMs };
const DAY_MS = 86_400_000;

beforeEach(async () => {
  catalog = await guardedCatalog({ auditKeepMs: 30 * DAY_MS }, clock);
  await catalog.table(['shop'], 'orders');
});
afterEach(() => catalog.dispose());

const property = { requirements: [], updates: [{ action: 'set-properties', updates: { k: 'v' } }] };
const entries = async (query = '') => (await catalog.operator('GET', `/lake/v1/audit?${query}`)).body.entries;

it('notes changes with the change itself, and refusals', async () => {
  await catalog.grant('bob', 'write', { kind: 'namespace', levels: ['shop'] });
  const bob = await catalog.as('bob');
  const headers = { 'x-request-id': 'r-17' };
  await bob('POST', '/v1/namespaces/shop/tables/orders', property, headers);
  await bob('DELETE', '/v1/namespaces/shop/tables/orders');
  await bob('GET', '/v1/namespaces/shop/tables/orders');
  await bob('GET', '/v1/namespaces/hr');
  await catalog.anyone('GET', '/v1/namespaces');
  expect(await entries('principal=bob')).toMatchObject([
    {
      principal: 'bob',
      action: 'POST /v1/namespaces/:namespace/tables/:table',
      object: 'table shop.orders',
      outcome: 'applied',
      status: null,
      address: '127.0.0.1',
    },
    {
      action: 'DELETE /v1/namespaces/:namespace/tables/:table',
      object: 'table shop.orders',
      outcome: 'refused',
      status: 403,
    },
    { action: 'GET /v1/namespaces/:namespace', object: 'namespace hr', outcome: 'refused', status: 404 },
  ]);
  expect(await entries('outcome=failed')).toMatchObject([{ principal: 'anonymous', status: 401 }]);
  expect(await entries('principal=local')).toMatchObject([
    { action: 'POST /lake/v1/principals', object: 'principal bob', outcome: 'applied' },
    { action: 'POST /lake/v1/grants', object: 'write on namespace shop, principal bob' },
  ]);
});

it('notes nothing of a change that was not made', async () => {
  await catalog.grant('bob', 'manage', { kind: 'namespace', levels: ['shop'] });
  const bob = await catalog.as('bob');
  const stale = { requirements: [{ type: 'assert-table-uuid', uuid: 'other' }], updates: property.updates };
  expect((await bob('POST', '/v1/namespaces/shop/tables/orders', stale)).status).toBe(409);
  const known = { name: 'orders', schema: { type: 'struct', fields: [] } };
  expect((await bob('POST', '/v1/namespaces/shop/tables', known)).status).toBe(409);
  expect(await entries('principal=bob')).toEqual([]);
});

it('notes each of several commits that are made as one', async () => {
  await catalog.grant('bob', 'write', { kind: 'namespace', levels: ['shop'] });
  const bob = await catalog.as('bob');
  const all = await Promise.all(
    Array.from({ length: 8 }, () => bob('POST', '/v1/namespaces/shop/tables/orders', property)),
  );
  expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(await entries('principal=bob')).toHaveLength(8);
});

it('is paged, filtered by time, and for stewards and managers of the catalog only', async () => {
  for (let at = 0; at < 5; at++) {
    nowMs += 1000;
    await catalog.operator('POST', '/lake/v1/roles', { name: `role-${at}` });
  }
  const all = await entries();
  expect(all.map(({ object }: { object: string }) => object)).toEqual(
    [0, 1, 2, 3, 4].map((at) => `role role-${at}`),
  );
  const first = await catalog.operator('GET', '/lake/v1/audit?page-size=2');
  const second = await catalog.operator(
    'GET',
    `/lake/v1/audit?page-size=2&page-token=${first.body['next-page-token']}`,
  );
  expect([...first.body.entries, ...second.body.entries]).toEqual(all.slice(0, 4));
  const late = await entries(`from-ms=${nowMs - 1000}&to-ms=${nowMs}`);
  expect(late).toEqual([all[3]]);
});

it('cannot be filled by who is not known', async () => {
  for (let at = 0; at < 100; at++) await catalog.anyone('GET', '/v1/namespaces');
  expect(await entries('outcome=failed')).toHaveLength(60);
  nowMs += 61_000;
  await catalog.anyone('GET', '/v1/namespaces');
  const [last] = (await entries('outcome=failed')).slice(-1);
  expect(last.note).toContain('40 more');
});

it('forgets what is old', async () => {
  await catalog.operator('POST', '/lake/v1/roles', { name: 'old' });
  nowMs += 31 * DAY_MS;
  await catalog.anyone('GET', '/v1/namespaces');
  expect(await entries()).toMatchObject([{ outcome: 'failed' }]);
});

it('gives nobody the answer to the request of somebody else', async () => {
  await catalog.grant('bob', 'manage', { kind: 'namespace', levels: ['shop'] });
  await catalog.grant('eve', 'read', { kind: 'namespace', levels: ['shop'] });
  const bob = await catalog.as('bob');
  const eve = await catalog.as('eve');
  const headers = { 'idempotency-key': '01890a5d-ac96-774b-bcce-b302099a8057' };
  const path = '/v1/namespaces/shop/tables/orders';
  const made = await bob('POST', path, property, headers);
  expect(made.status).toBe(200);
  expect((await eve('POST', path, property, headers)).status).toBe(403);
  // A refusal that may pass is not kept.
  await catalog.grant('eve', 'write', { kind: 'namespace', levels: ['shop'] });
  expect((await eve('POST', path, property, headers)).status).toBe(200);
  const again = await bob('POST', path, property, headers);
  expect(again.body['metadata-location']).toBe(made.body['metadata-location']);
  const database = await openSqlDatabase(`${catalog.folder}/catalog.db`, clock);
  expect(await database.all('SELECT key FROM idempotency_keys')).toHaveLength(2);
  await database.close();
});

it('answers a repeated drop though the rights went with the table', async () => {
  await catalog.grant('bob', 'manage', { kind: 'table', name: { namespace: ['shop'], name: 'orders' } });
  const bob = await catalog.as('bob');
  const path = '/v1/namespaces/shop/tables/orders';
  const headers = { 'idempotency-key': '01890a5d-ac96-774b-bcce-b302099a8058' };
  expect((await bob('DELETE', path, undefined, headers)).status).toBe(204);
  expect((await bob('DELETE', path, undefined, headers)).status).toBe(204);
  expect((await bob('DELETE', path)).status).toBe(404);
});

it('keeps no refusal of what was hidden', async () => {
  const bob = await catalog.as('bob');
  const path = '/v1/namespaces/shop/tables/orders';
  const headers = { 'idempotency-key': '01890a5d-ac96-774b-bcce-b302099a8059' };
  expect((await bob('POST', path, property, headers)).status).toBe(404);
  await catalog.grant('bob', 'write', { kind: 'namespace', levels: ['shop'] });
  expect((await bob('POST', path, property, headers)).status).toBe(200);
});
