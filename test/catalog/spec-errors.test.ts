import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Serving } from '../../catalog/operations/serving.ts';
import { systemClock } from '../../src/clock.ts';
import { type Answer, type GuardedCatalog, guardedCatalog, type Send } from '../auth/guarded-catalog.ts';
import { RouteList } from '../auth/routes.ts';
import { SCHEMA } from './lake.ts';

/*
 * Every endpoint of the REST spec with every refusal that the spec lists for it: each has a request below that gets it, or a reason why this
 * catalog does not answer it. 5xx beside 503 are faults: see lost-answer.test.ts, pointer-outcome.test.ts and test/fuzz.
 */

type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

const NS = '/v1/namespaces/:namespace';
const TABLE = `${NS}/tables/:table`;
const VIEW = `${NS}/views/:view`;

/** The refusals that the spec lists, 401, 419 and 503 left out: they stand for all but the tokens. */
const LISTED: Readonly<Record<string, readonly number[]>> = {
  'GET /v1/config': [400, 403, 404],
  'GET /v1/namespaces': [400, 403, 404],
  'POST /v1/namespaces': [400, 403, 406, 409],
  [`GET ${NS}`]: [400, 403, 404],
  [`DELETE ${NS}`]: [400, 403, 404, 409],
  [`HEAD ${NS}`]: [400, 403, 404],
  [`POST ${NS}/properties`]: [400, 403, 404, 406, 422],
  [`GET ${NS}/tables`]: [400, 403, 404],
  [`POST ${NS}/tables`]: [400, 403, 404, 409],
  [`POST ${TABLE}/plan`]: [400, 403, 404, 406],
  [`GET ${TABLE}/plan/:planId`]: [400, 403, 404],
  [`DELETE ${TABLE}/plan/:planId`]: [400, 403, 404],
  [`POST ${TABLE}/tasks`]: [400, 403, 404],
  [`POST ${NS}/register`]: [400, 403, 404, 409],
  [`GET ${TABLE}`]: [400, 403, 404],
  [`POST ${TABLE}`]: [400, 403, 404, 409],
  [`DELETE ${TABLE}`]: [400, 403, 404],
  [`HEAD ${TABLE}`]: [400, 403, 404],
  [`POST ${TABLE}/unregister`]: [400, 403, 404],
  [`GET ${TABLE}/credentials`]: [400, 403, 404],
  [`POST ${TABLE}/sign`]: [400, 403],
  'POST /v1/tables/rename': [400, 403, 404, 406, 409],
  [`POST ${TABLE}/metrics`]: [400, 403, 404],
  'POST /v1/transactions/commit': [400, 403, 404, 409],
  [`GET ${NS}/views`]: [400, 403, 404],
  [`POST ${NS}/views`]: [400, 403, 404, 409],
  [`GET ${VIEW}`]: [400, 403, 404],
  [`POST ${VIEW}`]: [400, 403, 404, 409],
  [`DELETE ${VIEW}`]: [400, 403, 404],
  [`HEAD ${VIEW}`]: [400, 404],
  'POST /v1/views/rename': [400, 403, 404, 406, 409],
  [`POST ${NS}/register-view`]: [400, 403, 404, 409],
};

const READABLE = 'who may not read what it is on is told that it is not there (404): nobody learns of names';
const ALL_DONE = 'all that the operation can ask for is done';
/** Why a listed refusal is never answered. */
const NEVER: Readonly<Record<string, string>> = {
  'GET /v1/config 400': 'the one parameter, warehouse, may be anything',
  'GET /v1/config 403': 'the config is public: clients ask for it before they sign in',
  'GET /v1/config 404': 'there is one warehouse, whatever it is called',
  'GET /v1/namespaces 403': 'the list shows what the caller may see',
  'POST /v1/namespaces 406': ALL_DONE,
  [`POST ${NS}/properties 406`]: ALL_DONE,
  [`POST ${TABLE}/plan 406`]: ALL_DONE,
  'POST /v1/tables/rename 406': ALL_DONE,
  'POST /v1/views/rename 406': ALL_DONE,
  ...Object.fromEntries(
    [
      `GET ${NS}`,
      `HEAD ${NS}`,
      `GET ${NS}/tables`,
      `GET ${NS}/views`,
      `GET ${TABLE}`,
      `HEAD ${TABLE}`,
      `GET ${TABLE}/credentials`,
      `POST ${TABLE}/sign`,
      `POST ${TABLE}/metrics`,
      `POST ${TABLE}/plan`,
      `GET ${TABLE}/plan/:planId`,
      `DELETE ${TABLE}/plan/:planId`,
      `POST ${TABLE}/tasks`,
      `GET ${VIEW}`,
    ].map((endpoint) => [`${endpoint} 403`, READABLE]),
  ),
};
/** Offered where a store is configured that takes them (test/vending). */
const OPTIONAL: readonly string[] = [`GET ${TABLE}/credentials`, `POST ${TABLE}/sign`];
const TIMED_OUT = 'a token that timed out is answered with 401 and its challenge, as RFC 6750 has it';

interface Refusal {
  readonly path?: string;
  readonly body?: unknown;
  /** The error's type. */
  readonly type: string;
}

const at = (endpoint: string): string =>
  endpoint
    .slice(endpoint.indexOf(' ') + 1)
    .replace(':namespace', 'a')
    .replace(':table', 't')
    .replace(':view', 'v')
    .replace(':planId', 'none');
const emptyLevel = (endpoint: string): Refusal => ({
  path: at(endpoint).replace('/namespaces/a', '/namespaces/a%1F%1Fb'),
  type: 'BadRequestException',
});
const noTable = (endpoint: string, body?: unknown): Refusal => ({
  path: at(endpoint).replace('/tables/t', '/tables/none'),
  ...(body === undefined ? {} : { body }),
  type: 'NoSuchTableException',
});
const noNamespace = (endpoint: string, body?: unknown): Refusal => ({
  path: at(endpoint).replace('/namespaces/a', '/namespaces/none'),
  ...(body === undefined ? {} : { body }),
  type: 'NoSuchNamespaceException',
});
const noView = (endpoint: string, body?: unknown): Refusal => ({
  path: at(endpoint).replace('/views/v', '/views/none'),
  ...(body === undefined ? {} : { body }),
  type: 'NoSuchViewException',
});
const bad = (body: unknown): Refusal => ({ body, type: 'BadRequestException' });
const forbidden = (body?: unknown): Refusal => ({
  ...(body === undefined ? {} : { body }),
  type: 'ForbiddenException',
});

const noChange = { requirements: [], updates: [{ action: 'set-properties', updates: { k: 'v' } }] };
const stale = {
  requirements: [{ type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' }],
  updates: [],
};
const staleView = { ...stale, requirements: [{ ...stale.requirements[0], type: 'assert-view-uuid' }] };
const rename = (from: string, to: string) => ({
  source: { namespace: ['a'], name: from },
  destination: { namespace: ['a'], name: to },
});
const ofTable = (name: string, commit: object) => ({
  'table-changes': [{ identifier: { namespace: ['a'], name }, ...commit }],
});
const view = (name: string) => ({
  name,
  schema: SCHEMA,
  'view-version': {
    'version-id': 1,
    'schema-id': 0,
    'timestamp-ms': 1,
    summary: {},
    representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
    'default-namespace': ['a'],
  },
});
const signing = { region: 'r', uri: 'http://nowhere/bucket/key', method: 'GET', headers: {} };

/** What gets each refusal, 403 as somebody who may read only. `folder` is where the catalog's files lie. */
const refusals = (folder: string): Readonly<Record<string, Readonly<Record<number, Refusal>>>> => {
  const lost = `file://${folder}/hot/lost/metadata/v1.metadata.json`;
  const register = (name: string, location: string) => ({ name, 'metadata-location': location });
  return {
    'GET /v1/namespaces': {
      400: { path: '/v1/namespaces?parent=a%1F%1Fb', type: 'BadRequestException' },
      404: { path: '/v1/namespaces?parent=none', type: 'NoSuchNamespaceException' },
    },
    'POST /v1/namespaces': {
      400: bad({ namespace: [] }),
      403: forbidden({ namespace: ['new'] }),
      409: { body: { namespace: ['a'] }, type: 'AlreadyExistsException' },
    },
    [`GET ${NS}`]: { 400: emptyLevel(`GET ${NS}`), 404: noNamespace(`GET ${NS}`) },
    [`HEAD ${NS}`]: { 400: emptyLevel(`HEAD ${NS}`), 404: noNamespace(`HEAD ${NS}`) },
    [`DELETE ${NS}`]: {
      400: emptyLevel(`DELETE ${NS}`),
      403: forbidden(),
      404: noNamespace(`DELETE ${NS}`),
      409: { type: 'NamespaceNotEmptyException' },
    },
    [`POST ${NS}/properties`]: {
      400: bad({ updates: { k: 1 } }),
      403: forbidden({ updates: { k: 'v' } }),
      404: noNamespace(`POST ${NS}/properties`, {}),
      422: { body: { removals: ['k'], updates: { k: 'v' } }, type: 'UnprocessableEntityException' },
    },
    [`GET ${NS}/tables`]: { 400: emptyLevel(`GET ${NS}/tables`), 404: noNamespace(`GET ${NS}/tables`) },
    [`GET ${NS}/views`]: { 400: emptyLevel(`GET ${NS}/views`), 404: noNamespace(`GET ${NS}/views`) },
    [`POST ${NS}/tables`]: {
      400: bad({ name: 'new' }),
      403: forbidden({ name: 'new', schema: SCHEMA }),
      404: noNamespace(`POST ${NS}/tables`, { name: 'new', schema: SCHEMA }),
      409: { body: { name: 't', schema: SCHEMA }, type: 'AlreadyExistsException' },
    },
    [`POST ${TABLE}/plan`]: {
      400: bad({ filter: { type: 'like' } }),
      404: noTable(`POST ${TABLE}/plan`, {}),
    },
    [`GET ${TABLE}/plan/:planId`]: {
      400: emptyLevel(`GET ${TABLE}/plan/:planId`),
      404: { type: 'NoSuchPlanIdException' },
    },
    [`DELETE ${TABLE}/plan/:planId`]: {
      400: emptyLevel(`DELETE ${TABLE}/plan/:planId`),
      404: { type: 'NoSuchPlanIdException' },
    },
    [`POST ${TABLE}/tasks`]: {
      400: bad({}),
      404: { body: { 'plan-task': 'none' }, type: 'NoSuchPlanTaskException' },
    },
    [`POST ${NS}/register`]: {
      400: bad({ name: 'new' }),
      403: forbidden(register('new', lost)),
      404: { body: register('new', lost), type: 'NotFoundException' },
      409: { body: register('t', lost), type: 'AlreadyExistsException' },
    },
    [`GET ${TABLE}`]: {
      400: { path: `${at(`GET ${TABLE}`)}?snapshots=some`, type: 'BadRequestException' },
      404: noTable(`GET ${TABLE}`),
    },
    [`HEAD ${TABLE}`]: { 400: emptyLevel(`HEAD ${TABLE}`), 404: noTable(`HEAD ${TABLE}`) },
    [`POST ${TABLE}`]: {
      400: bad({ requirements: [{ type: 'assert-luck' }], updates: [] }),
      403: forbidden(noChange),
      404: noTable(`POST ${TABLE}`, noChange),
      409: { body: stale, type: 'CommitFailedException' },
    },
    [`DELETE ${TABLE}`]: {
      400: { path: `${at(`DELETE ${TABLE}`)}?purgeRequested=maybe`, type: 'BadRequestException' },
      403: forbidden(),
      404: noTable(`DELETE ${TABLE}`),
    },
    [`POST ${TABLE}/unregister`]: {
      400: emptyLevel(`POST ${TABLE}/unregister`),
      403: forbidden(),
      404: noTable(`POST ${TABLE}/unregister`),
    },
    [`GET ${TABLE}/credentials`]: {
      400: emptyLevel(`GET ${TABLE}/credentials`),
      404: noTable(`GET ${TABLE}/credentials`),
    },
    [`POST ${TABLE}/sign`]: { 400: bad({ ...signing, method: 'FLY' }) },
    'POST /v1/tables/rename': {
      400: bad({ source: { namespace: ['a'], name: 't' } }),
      403: forbidden(rename('t', 'other')),
      404: { body: rename('none', 'other'), type: 'NoSuchTableException' },
      409: { body: rename('t', 't2'), type: 'AlreadyExistsException' },
    },
    [`POST ${TABLE}/metrics`]: {
      400: bad({}),
      404: noTable(`POST ${TABLE}/metrics`, { 'report-type': 'scan-report' }),
    },
    'POST /v1/transactions/commit': {
      400: bad({ 'table-changes': [{}] }),
      403: forbidden(ofTable('t', noChange)),
      404: { body: ofTable('none', noChange), type: 'NoSuchTableException' },
      409: { body: ofTable('t', stale), type: 'CommitFailedException' },
    },
    [`POST ${NS}/views`]: {
      400: bad({ name: 'new' }),
      403: forbidden(view('new')),
      404: noNamespace(`POST ${NS}/views`, view('new')),
      409: { body: view('v'), type: 'AlreadyExistsException' },
    },
    [`GET ${VIEW}`]: { 400: emptyLevel(`GET ${VIEW}`), 404: noView(`GET ${VIEW}`) },
    [`HEAD ${VIEW}`]: { 400: emptyLevel(`HEAD ${VIEW}`), 404: noView(`HEAD ${VIEW}`) },
    [`POST ${VIEW}`]: {
      400: bad({ updates: [{ action: 'fly' }] }),
      403: forbidden(noChange),
      404: noView(`POST ${VIEW}`, noChange),
      409: { body: staleView, type: 'CommitFailedException' },
    },
    [`DELETE ${VIEW}`]: {
      400: emptyLevel(`DELETE ${VIEW}`),
      403: forbidden(),
      404: noView(`DELETE ${VIEW}`),
    },
    'POST /v1/views/rename': {
      400: bad({ source: { namespace: ['a'], name: 'v' } }),
      403: forbidden(rename('v', 'other')),
      404: { body: rename('none', 'other'), type: 'NoSuchViewException' },
      409: { body: rename('v', 't'), type: 'AlreadyExistsException' },
    },
    [`POST ${NS}/register-view`]: {
      400: bad({ name: 'new' }),
      403: forbidden(register('new', lost)),
      404: { body: register('new', lost), type: 'NotFoundException' },
      409: { body: register('v', lost), type: 'AlreadyExistsException' },
    },
  };
};

const cases = Object.entries(LISTED).flatMap(([endpoint, codes]) =>
  codes.map((code) => ({ endpoint, code })),
);
const methodOf = (endpoint: string) => endpoint.slice(0, endpoint.indexOf(' ')) as Method;

let catalog: GuardedCatalog;
let full: GuardedCatalog;
let reader: Send;
const routes = new RouteList();
beforeAll(async () => {
  catalog = await guardedCatalog({}, systemClock, routes);
  const log = pino({ level: 'silent' });
  const options = { limits: { inFlight: 0 } };
  const refusing = new Serving({
    options,
    clock: systemClock,
    version: 'test',
    log,
    principalOf: () => null,
  });
  full = await guardedCatalog({}, systemClock, refusing);
  await catalog.table(['a'], 't');
  await catalog.table(['a'], 't2');
  expect((await catalog.operator('POST', '/v1/namespaces/a/views', view('v'))).status).toBe(200);
  await catalog.grant('reader', 'read', { kind: 'namespace', levels: ['a'] });
  reader = await catalog.as('reader');
});
afterAll(async () => {
  await catalog.dispose();
  await full.dispose();
});

const isLeftOut = (endpoint: string): boolean => OPTIONAL.includes(endpoint) && !routes.found.has(endpoint);

function expectRefusal(endpoint: string, answer: Answer, code: number, type: string): void {
  expect(answer.status, JSON.stringify(answer.body)).toBe(code);
  if (methodOf(endpoint) === 'HEAD') expect(answer.body).toBeNull();
  else expect(answer.body.error).toMatchObject({ code, type, message: expect.stringMatching(/./) });
}

describe('the refusals of the REST spec', () => {
  it('are listed for every endpoint that the catalog has', () => {
    const offered = [...routes.found.keys()].filter((route) => / \/v1\//.test(route));
    const wanted = Object.keys(LISTED).filter((one) => !OPTIONAL.includes(one) || routes.found.has(one));
    expect(offered.filter((route) => route !== 'POST /v1/oauth/tokens').sort()).toEqual(wanted.sort());
  });

  it.each(cases)('$endpoint: $code', async ({ endpoint, code }) => {
    if (isLeftOut(endpoint)) return;
    const refusal = refusals(catalog.folder)[endpoint]?.[code];
    const reason = NEVER[`${endpoint} ${code}`];
    // One of the two, and not both.
    expect(refusal === undefined, reason ?? 'neither a request nor a reason').toBe(reason !== undefined);
    if (refusal === undefined) return;
    const send = code === 403 ? reader : catalog.operator;
    const answer = await send(methodOf(endpoint), refusal.path ?? at(endpoint), refusal.body);
    expectRefusal(endpoint, answer, code, refusal.type);
  });

  it.each(Object.keys(LISTED))(
    '%s: 401 without a token and with one that timed out, never 419',
    async (endpoint) => {
      if (endpoint === 'GET /v1/config' || isLeftOut(endpoint)) return;
      for (const send of [catalog.anyone, catalog.withToken('e30.e30.e30')]) {
        const answer = await send(
          methodOf(endpoint),
          at(endpoint),
          methodOf(endpoint) === 'POST' ? {} : undefined,
        );
        expectRefusal(endpoint, answer, 401, 'NotAuthorizedException');
        expect(String(answer.headers['www-authenticate']), TIMED_OUT).toMatch(/^Bearer/);
      }
    },
  );

  it.each(Object.keys(LISTED))(
    '%s: 503 with Retry-After where the server takes no more',
    async (endpoint) => {
      const answer = await full.anyone(
        methodOf(endpoint),
        at(endpoint),
        methodOf(endpoint) === 'POST' ? {} : undefined,
      );
      expectRefusal(endpoint, answer, 503, 'ServiceUnavailableException');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    },
  );

  it('of tokens are those of OAuth2', async () => {
    const ask = async (payload: string) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await catalog.app.inject({ method: 'POST', url: '/v1/oauth/tokens', headers, payload });
      return { status: answer.statusCode, error: answer.json().error };
    };
    expect(await ask('grant_type=dance')).toEqual({ status: 400, error: 'unsupported_grant_type' });
    const wrong = 'grant_type=client_credentials&client_id=x&client_secret=y';
    expect(await ask(wrong)).toEqual({ status: 401, error: 'invalid_client' });
  });
});
