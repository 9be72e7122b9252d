import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { buildCatalogApp } from '../../catalog/app.ts';
import type { Privilege } from '../../catalog/auth/access.ts';
import type { AuthSettings } from '../../catalog/auth/auth.ts';
import type { Serving } from '../../catalog/operations/serving.ts';
import type { GrantObject } from '../../catalog/store/access-grants.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { openStore } from '../../src/storage/store.ts';
import { SCHEMA } from '../catalog/lake.ts';

type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is asserted on, member by member
  readonly body: any;
}

export type Send = (
  method: Method,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

export interface GuardedCatalog {
  /** The app that asks for tokens. */
  readonly app: FastifyInstance;
  readonly folder: string;
  /** By the local operator: another app on the same database, without auth. */
  readonly operator: Send;
  /** Without a token. */
  readonly anyone: Send;
  /** With a token of the principal, which is made at its first use. */
  as(principal: string): Promise<Send>;
  withToken(token: string): Send;
  tokenOf(principal: string): Promise<string>;
  grant(principal: string, privilege: Privilege, on: GrantObject): Promise<void>;
  revoke(principal: string, privilege: Privilege, on: GrantObject): Promise<void>;
  table(
    namespace: readonly string[],
    name: string,
  ): Promise<{ readonly uuid: string; readonly location: string }>;
  dispose(): Promise<void>;
}

/** Nobody asks it: the tables lie on the local disk. */
const S3_SERVER = {
  prefix: null,
  settings: { endpoint: 'http://127.0.0.1:1', accessKeyId: 'id', secretAccessKey: 'key', sts: {} },
};

/** A catalog with auth on, in a folder of its own. */
export async function guardedCatalog(
  settings: AuthSettings = {},
  clock: Clock = systemClock,
  serving?: Serving,
): Promise<GuardedCatalog> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-auth-'));
  const database = join(folder, 'catalog.db');
  const appOf = async (auth?: AuthSettings) =>
    buildCatalogApp({
      store: await openCatalogStore(database, clock),
      objects: openStore(),
      clock,
      warehouse: `file://${folder}/hot`,
      awaitPurges: true,
      vending: { servers: [S3_SERVER], durationSeconds: 900, signs: true },
      ...(auth === undefined ? {} : { auth, ...(serving === undefined ? {} : { serving }) }),
    });
  const app = await appOf(settings);
  const open = await appOf();
  const secrets = new Map<string, string>();
  const operator = sender(open, {});
  const anyone = sender(app, {});
  const tokenOf = async (principal: string) => {
    if (!secrets.has(principal)) {
      const made = await operator('POST', '/lake/v1/principals', { name: principal });
      secrets.set(principal, made.body.secret);
    }
    return signIn(app, principal, secrets.get(principal) ?? '');
  };
  const withToken = (token: string) => sender(app, { authorization: `Bearer ${token}` });
  const changeGrant = (path: string) => async (name: string, privilege: Privilege, on: GrantObject) => {
    await tokenOf(name);
    const answer = await operator('POST', path, { grantee: { kind: 'principal', name }, privilege, on });
    if (answer.status !== 204) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
  };
  return {
    app,
    folder,
    operator,
    anyone,
    withToken,
    tokenOf,
    as: async (principal) => withToken(await tokenOf(principal)),
    grant: changeGrant('/lake/v1/grants'),
    revoke: changeGrant('/lake/v1/grants/revoke'),
    table: async (namespace, name) => {
      await operator('POST', '/v1/namespaces', { namespace });
      const path = `/v1/namespaces/${namespace.join('%1F')}/tables`;
      const made = await operator('POST', path, { name, schema: SCHEMA });
      if (made.status !== 200) throw new Error(`${made.status}: ${JSON.stringify(made.body)}`);
      return { uuid: made.body.metadata['table-uuid'], location: made.body['metadata-location'] };
    },
    dispose: async () => {
      await app.close();
      await open.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A token for a secret. */
export async function signIn(app: FastifyInstance, client: string, secret: string): Promise<string> {
  const answer = await askForToken(app, {
    grant_type: 'client_credentials',
    client_id: client,
    client_secret: secret,
  });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body.access_token;
}

export async function askForToken(
  app: FastifyInstance,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/oauth/tokens',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams(form).toString(),
  });
  return { status: answer.statusCode, headers: answer.headers, body: parseJson(answer.payload) };
}

function sender(app: FastifyInstance, own: Readonly<Record<string, string>>): Send {
  return async (method, path, body, headers = {}) => {
    const answer = await app.inject({
      method,
      url: path,
      headers: { ...own, ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { payload: stringifyJson(body) }),
    });
    const text = answer.payload;
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    const read = isJson && text !== '' ? parseJson(text) : null;
    return { status: answer.statusCode, headers: answer.headers, body: read };
  };
}
