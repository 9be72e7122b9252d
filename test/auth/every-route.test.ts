import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRIVILEGES, type Privilege } from '../../catalog/auth/access.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { SCHEMA } from '../catalog/lake.ts';
import { type GuardedCatalog, guardedCatalog, type Send } from './guarded-catalog.ts';
import { RouteList } from './routes.ts';

/*
 * Every route of the app, asked by everybody: without a token, with bad ones, with no rights, with rights elsewhere, with each privilege on the
 * catalog and on the namespace. The rows say what is expected, apart from what the routes declare: a route without a row fails.
 */

type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

interface Row {
  readonly path: string;
  readonly body?: unknown;
  /** With which of the privileges, held on what it is on, it goes through. */
  readonly allows: readonly Privilege[];
  /** `catalog`: a privilege on the namespace is not enough. `none`: any token will do. */
  readonly level: 'namespace' | 'catalog' | 'none';
  /** Who has no right on it. */
  readonly stranger: number;
  /** Its status where it goes through. */
  readonly ok: number;
}

const ALL = PRIVILEGES;
const WRITERS = ['write', 'manage'] as const;
const KEEPERS = ['maintain', 'manage'] as const;
const MANAGERS = ['manage'] as const;
const NS = '/v1/namespaces/a';
const T = `${NS}/tables/t`;
const V = `${NS}/views/v`;
const identifier = { namespace: ['a'], name: 't' };
const noChange = { requirements: [], updates: [{ action: 'set-properties', updates: { k: 'v' } }] };
const missing = '00000000-0000-4000-8000-000000000000';
const nowhere = 'file:///nowhere/metadata/v1.metadata.json';

const on = (
  path: string,
  allows: readonly Privilege[],
  ok: number,
  more: { readonly body?: unknown; readonly stranger?: number } = {},
): Row => ({ path, allows, ok, level: 'namespace', stranger: 404, ...more });
const ofCatalog = (
  path: string,
  allows: readonly Privilege[],
  ok: number,
  more: { readonly body?: unknown; readonly stranger?: number } = {},
): Row => ({ path, allows, ok, level: 'catalog', stranger: 403, ...more });
/** Any token will do; what it shows is another matter. */
const signedIn = (path: string, ok: number): Row => ({
  path,
  ok,
  allows: ALL,
  level: 'none',
  stranger: ok,
});

function rowsOf(table: { readonly uuid: string }): Readonly<Record<string, Row | 'public'>> {
  const byUuid = `table-uuid=${table.uuid}`;
  const view = {
    name: 'v2',
    schema: SCHEMA,
    'view-version': {
      'version-id': 1,
      'schema-id': 0,
      'timestamp-ms': 1,
      summary: {},
      representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
      'default-namespace': ['a'],
    },
  };
  const rename = { source: identifier, destination: { namespace: ['a'], name: 't' } };
  const grant = {
    grantee: { kind: 'principal', name: 'grantee' },
    privilege: 'read',
    on: { kind: 'namespace', levels: ['a'] },
  };
  return {
    'GET /v1/config': 'public',
    'POST /v1/oauth/tokens': 'public',
    'GET /health': 'public',
    'GET /lake/v1/docs': 'public',
    'GET /health/ready': 'public',

    'GET /v1/namespaces': signedIn('/v1/namespaces', 200),
    'POST /v1/namespaces': on('/v1/namespaces', MANAGERS, 409, {
      body: { namespace: ['a', 'inner'] },
      stranger: 403,
    }),
    'GET /v1/namespaces/:namespace': on(NS, ALL, 200),
    'HEAD /v1/namespaces/:namespace': on(NS, ALL, 204),
    'DELETE /v1/namespaces/:namespace': on(NS, MANAGERS, 409),
    'POST /v1/namespaces/:namespace/properties': on(`${NS}/properties`, MANAGERS, 200, { body: {} }),
    'GET /v1/namespaces/:namespace/tables': on(`${NS}/tables`, ALL, 200),
    'POST /v1/namespaces/:namespace/tables': on(`${NS}/tables`, MANAGERS, 409, {
      body: { name: 't', schema: SCHEMA },
    }),
    'GET /v1/namespaces/:namespace/tables/:table': on(T, ALL, 200),
    'HEAD /v1/namespaces/:namespace/tables/:table': on(T, ALL, 204),
    'POST /v1/namespaces/:namespace/tables/:table': on(T, WRITERS, 200, { body: noChange }),
    'DELETE /v1/namespaces/:namespace/tables/:table': on(T, MANAGERS, 204),
    'POST /v1/namespaces/:namespace/tables/:table/unregister': on(`${T}/unregister`, MANAGERS, 200),
    'POST /v1/namespaces/:namespace/tables/:table/metrics': on(`${T}/metrics`, ALL, 204, {
      body: { 'report-type': 'scan-report' },
    }),
    'GET /v1/namespaces/:namespace/tables/:table/credentials': on(`${T}/credentials`, ALL, 200),
    'POST /v1/namespaces/:namespace/tables/:table/sign': on(`${T}/sign`, ALL, 400, { body: {} }),
    'POST /v1/namespaces/:namespace/tables/:table/plan': on(`${T}/plan`, ALL, 200, { body: {} }),
    'GET /v1/namespaces/:namespace/tables/:table/plan/:planId': on(`${T}/plan/${missing}`, ALL, 404),
    'DELETE /v1/namespaces/:namespace/tables/:table/plan/:planId': on(`${T}/plan/${missing}`, ALL, 204),
    'POST /v1/namespaces/:namespace/tables/:table/tasks': on(`${T}/tasks`, ALL, 404, {
      body: { 'plan-task': missing },
    }),
    'POST /v1/namespaces/:namespace/register': on(`${NS}/register`, MANAGERS, 409, {
      body: { name: 't', 'metadata-location': nowhere },
    }),
    'POST /v1/tables/rename': on('/v1/tables/rename', MANAGERS, 409, { body: rename }),
    'POST /v1/transactions/commit': on('/v1/transactions/commit', WRITERS, 204, {
      body: { 'table-changes': [{ identifier, ...noChange }] },
    }),
    'GET /v1/namespaces/:namespace/views': on(`${NS}/views`, ALL, 200),
    'POST /v1/namespaces/:namespace/views': on(`${NS}/views`, MANAGERS, 409, {
      body: { ...view, name: 'v' },
    }),
    'GET /v1/namespaces/:namespace/views/:view': on(V, ALL, 200),
    'HEAD /v1/namespaces/:namespace/views/:view': on(V, ALL, 204),
    'POST /v1/namespaces/:namespace/views/:view': on(V, WRITERS, 200, { body: noChange }),
    'DELETE /v1/namespaces/:namespace/views/:view': on(V, MANAGERS, 204),
    'POST /v1/namespaces/:namespace/register-view': on(`${NS}/register-view`, MANAGERS, 409, {
      body: { name: 'v', 'metadata-location': nowhere },
    }),
    'POST /v1/views/rename': on('/v1/views/rename', MANAGERS, 409, {
      body: { source: { namespace: ['a'], name: 'v' }, destination: { namespace: ['a'], name: 'v' } },
    }),

    'GET /lake/v1/openapi.json': signedIn('/lake/v1/openapi.json', 200),
    'GET /lake/v1/maintenance': signedIn('/lake/v1/maintenance', 200),
    'POST /lake/v1/maintenance': ofCatalog('/lake/v1/maintenance', MANAGERS, 200, { body: { on: false } }),
    'GET /lake/v1/tables': ofCatalog('/lake/v1/tables', KEEPERS, 200),
    'POST /lake/v1/leases': on('/lake/v1/leases', KEEPERS, 200, {
      body: { 'table-uuid': table.uuid, holder: 'h', 'ttl-ms': 1 },
    }),
    'POST /lake/v1/leases/:id/renew': ofCatalog(`/lake/v1/leases/${missing}/renew`, KEEPERS, 409, {
      body: { 'ttl-ms': 1 },
      stranger: 404,
    }),
    'DELETE /lake/v1/leases/:id': ofCatalog(`/lake/v1/leases/${missing}`, KEEPERS, 204, { stranger: 404 }),
    'POST /lake/v1/relocations': on('/lake/v1/relocations', KEEPERS, 409, {
      body: {
        'relocation-id': missing,
        'lease-id': missing,
        namespace: ['a'],
        table: 't',
        'table-uuid': table.uuid,
        'grace-ms': 0,
        plan: {},
      },
    }),
    'GET /lake/v1/relocations': on(`/lake/v1/relocations?${byUuid}`, KEEPERS, 200),
    'GET /lake/v1/relocations/:id': ofCatalog(`/lake/v1/relocations/${missing}`, [], 404, { stranger: 404 }),
    'POST /lake/v1/relocations/:id/state': ofCatalog(`/lake/v1/relocations/${missing}/state`, [], 404, {
      body: { state: 'finished' },
      stranger: 404,
    }),
    'POST /lake/v1/relocations/:id/moves': ofCatalog(`/lake/v1/relocations/${missing}/moves`, [], 404, {
      body: { 'lease-id': missing, moves: [{ from: 'a', to: 'b', kind: 'data', size: 1 }] },
      stranger: 404,
    }),
    'GET /lake/v1/relocations/:id/moves': ofCatalog(`/lake/v1/relocations/${missing}/moves`, [], 404, {
      stranger: 404,
    }),
    'POST /lake/v1/relocations/:id/swap': ofCatalog(`/lake/v1/relocations/${missing}/swap`, [], 404, {
      body: { 'lease-id': 'x', 'base-metadata-location': 'x', snapshots: [], fences: [] },
      stranger: 404,
    }),
    'GET /lake/v1/ledger': on(`/lake/v1/ledger?${byUuid}`, KEEPERS, 200),
    'POST /lake/v1/ledger/deleted': ofCatalog('/lake/v1/ledger/deleted', KEEPERS, 204, {
      body: { locations: ['x'] },
    }),
    'GET /lake/v1/dropped-tables': signedIn('/lake/v1/dropped-tables', 200),
    'GET /lake/v1/dropped-tables/:id': ofCatalog(`/lake/v1/dropped-tables/${missing}`, [], 404, {
      stranger: 404,
    }),
    'POST /lake/v1/dropped-tables/:id/undrop': ofCatalog(
      `/lake/v1/dropped-tables/${missing}/undrop`,
      [],
      404,
      {
        stranger: 404,
      },
    ),
    'POST /lake/v1/dropped-tables/:id/purge': ofCatalog(`/lake/v1/dropped-tables/${missing}/purge`, [], 404, {
      stranger: 404,
    }),
    'POST /lake/v1/purges': ofCatalog('/lake/v1/purges', KEEPERS, 200),
    'GET /lake/v1/metrics-reports': on(
      `/lake/v1/metrics-reports?${byUuid}`,
      ['maintain', 'steward', 'manage'],
      200,
    ),
    'GET /lake/v1/principals': ofCatalog('/lake/v1/principals', MANAGERS, 200),
    'POST /lake/v1/principals': ofCatalog('/lake/v1/principals', MANAGERS, 409, { body: { name: 'nobody' } }),
    'POST /lake/v1/principals/:name/rotate': ofCatalog('/lake/v1/principals/none/rotate', MANAGERS, 404, {
      body: { 'overlap-ms': 0 },
    }),
    'POST /lake/v1/principals/:name/state': ofCatalog('/lake/v1/principals/none/state', MANAGERS, 404, {
      body: { disabled: true },
    }),
    'DELETE /lake/v1/principals/:name': ofCatalog('/lake/v1/principals/none', MANAGERS, 404),
    'POST /lake/v1/signing-keys/rotate': ofCatalog('/lake/v1/signing-keys/rotate', MANAGERS, 204, {
      body: { revoke: false },
    }),
    'GET /lake/v1/roles': ofCatalog('/lake/v1/roles', MANAGERS, 200),
    'POST /lake/v1/roles': ofCatalog('/lake/v1/roles', MANAGERS, 409, { body: { name: 'known' } }),
    'DELETE /lake/v1/roles/:name': ofCatalog('/lake/v1/roles/none', MANAGERS, 404),
    'POST /lake/v1/roles/:name/members': ofCatalog('/lake/v1/roles/none/members', MANAGERS, 404, {
      body: { kind: 'claim', name: 'x' },
    }),
    'POST /lake/v1/roles/:name/members/remove': ofCatalog(
      '/lake/v1/roles/none/members/remove',
      MANAGERS,
      404,
      {
        body: { kind: 'claim', name: 'x' },
      },
    ),
    'GET /lake/v1/grants': on(
      `/lake/v1/grants?on=${encodeURIComponent(JSON.stringify(grant.on))}`,
      MANAGERS,
      200,
    ),
    'POST /lake/v1/grants': on('/lake/v1/grants', MANAGERS, 204, {
      body: { ...grant, on: { kind: 'table', name: identifier } },
    }),
    'POST /lake/v1/grants/revoke': on('/lake/v1/grants/revoke', MANAGERS, 404, {
      body: { ...grant, privilege: 'write' },
    }),
    'GET /lake/v1/audit': ofCatalog('/lake/v1/audit', ['steward', 'manage'], 200),
  };
}

const routes = new RouteList();
let nowMs = 1_800_000_000_000;
const clock: Clock = { ...systemClock, now: () => nowMs };
let catalog: GuardedCatalog;
let rows: ReturnType<typeof rowsOf>;
const senders = new Map<string, Send>();
let expired: Send;
let off: Send;

async function ensure(): Promise<void> {
  const { operator } = catalog;
  for (const namespace of [['a'], ['a', 'inner'], ['b']])
    await operator('POST', '/v1/namespaces', { namespace });
  await operator('POST', `${NS}/tables`, { name: 't', schema: SCHEMA });
  const row = rows?.['POST /v1/namespaces/:namespace/views'];
  if (row !== undefined && row !== 'public') await operator('POST', `${NS}/views`, row.body);
}

beforeAll(async () => {
  catalog = await guardedCatalog({}, clock, routes);
  const { uuid } = await catalog.table(['a'], 't');
  rows = rowsOf({ uuid });
  expired = await catalog.as('late');
  nowMs += 3_601_000;
  await ensure();
  await catalog.operator('POST', '/lake/v1/roles', { name: 'known' });
  await catalog.operator('POST', '/lake/v1/principals', { name: 'grantee' });
  senders.set('nobody', await catalog.as('nobody'));
  await catalog.grant('elsewhere', 'manage', { kind: 'namespace', levels: ['b'] });
  senders.set('elsewhere', await catalog.as('elsewhere'));
  for (const privilege of PRIVILEGES) {
    await catalog.grant(`all-${privilege}`, privilege, { kind: 'catalog' });
    await catalog.grant(`ns-${privilege}`, privilege, { kind: 'namespace', levels: ['a'] });
    senders.set(`all-${privilege}`, await catalog.as(`all-${privilege}`));
    senders.set(`ns-${privilege}`, await catalog.as(`ns-${privilege}`));
  }
  off = await catalog.as('off');
  await catalog.operator('POST', '/lake/v1/principals/off/state', { disabled: true });
}, 120_000);
afterAll(() => catalog.dispose());

async function tick(): Promise<void> {
  nowMs += 10;
  await ensure();
}

/** Tables made anew have other uuids: the rows of routes that name one are made for the table that stands. */
async function rowOf(route: string): Promise<Row | 'public' | undefined> {
  await tick();
  const { body } = await catalog.operator('GET', T);
  rows = rowsOf({ uuid: body.metadata['table-uuid'] });
  return rows[route];
}

function expectedOf(row: Row, who: string): number {
  const [scope = '', privilege] = who.split('-');
  const held = PRIVILEGES.find((one) => one === privilege);
  if (held === undefined || row.level === 'none') return row.stranger;
  // What does not exist is not there for anybody.
  if (row.allows.length === 0) return row.ok;
  if (row.level === 'catalog' && scope === 'ns') return row.stranger;
  if (row.allows.includes(held)) return row.ok;
  return row.level === 'catalog' ? row.stranger : 403;
}

async function statusOf(send: Send, route: string, row: Row): Promise<number> {
  const method = route.split(' ')[0] as Method;
  return (await send(method, row.path, row.body)).status;
}

it('has a row for every route, and no others', () => {
  expect([...routes.found.keys()].sort()).toEqual(Object.keys(rowsOf({ uuid: missing })).sort());
});

describe.each(Object.keys(rowsOf({ uuid: missing })))('%s', (route) => {
  it('lets through who may, and nobody else', async () => {
    const row = await rowOf(route);
    if (row === undefined) throw new Error('a row is gone');
    if (row === 'public') {
      const [method, path] = route.split(' ') as [Method, string];
      expect((await catalog.anyone(method, path)).status).not.toBe(401);
      return;
    }
    for (const [name, send] of Object.entries({
      anyone: catalog.anyone,
      bad: catalog.withToken('no-token-at-all'),
      expired,
      off,
    })) {
      const method = route.split(' ')[0] as Method;
      const answer = await send(method, row.path, row.body);
      expect([name, answer.status, typeof answer.headers['www-authenticate']]).toEqual([name, 401, 'string']);
    }
    const found: Record<string, number> = {};
    const expected: Record<string, number> = {};
    for (const [who, send] of senders) {
      const fresh = await rowOf(route);
      if (fresh === undefined || fresh === 'public') throw new Error('a row is gone');
      found[who] = await statusOf(send, route, fresh);
      expected[who] = expectedOf(fresh, who);
    }
    expect(found).toEqual(expected);
  });
});
