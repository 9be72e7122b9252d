import { createHmac, createPublicKey } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Oidc } from '../../catalog/auth/oidc.ts';
import { systemClock } from '../../src/clock.ts';
import { type GuardedCatalog, guardedCatalog } from './guarded-catalog.ts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** A little OpenID Connect issuer: discovery document, key set, and tokens of any kind. */
class Issuer {
  readonly #server: Server;
  url = '';
  keys = new Map<string, KeyPair>();
  fetched = 0;
  discovery: (url: string) => unknown = (url) => ({ issuer: url, jwks_uri: `${url}/keys` });
  status = 200;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const isKeys = request.url === '/keys';
      if (isKeys) this.fetched += 1;
      const known = isKeys || request.url === '/.well-known/openid-configuration';
      response.writeHead(known ? this.status : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isKeys ? await this.#jwks() : this.discovery(this.url)));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    await this.addKey('first');
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async addKey(kid: string): Promise<void> {
    this.keys.set(kid, await generateKeyPair('RS256', { extractable: true }));
  }

  async token(
    claims: Readonly<Record<string, unknown>> = {},
    { kid = 'first', key = this.keys.get(kid), life = 600 } = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: this.url, aud: 'lake', sub: 'alice', iat: now, exp: now + life, ...claims };
    if (key === undefined) throw new Error('no such key');
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid }).sign(key.privateKey);
  }

  async #jwks(): Promise<unknown> {
    const keys = [];
    for (const [kid, { publicKey }] of this.keys) {
      keys.push({ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' });
    }
    return { keys };
  }
}

let issuer: Issuer;
let catalog: GuardedCatalog | undefined;

beforeEach(async () => {
  issuer = new Issuer();
  await issuer.start();
});
afterEach(async () => {
  await issuer.stop();
  await catalog?.dispose();
  catalog = undefined;
});

const settings = () => ({ issuer: issuer.url, audience: 'lake', rolesClaim: 'realm_access.roles' });
const statusOf = async (token: string) =>
  (await catalog!.withToken(token)('GET', '/v1/namespaces/a/tables/t')).status;

it('lets people in by their token, with the rights of the roles that its claim names', async () => {
  catalog = await guardedCatalog({ oidc: settings() });
  await catalog.table(['a'], 't');
  const { operator } = catalog;
  for (const name of ['analysts', 'owners']) await operator('POST', '/lake/v1/roles', { name });
  const grant = async (name: string, privilege: string) =>
    operator('POST', '/lake/v1/grants', {
      grantee: { kind: 'role', name },
      privilege,
      on: { kind: 'namespace', levels: ['a'] },
    });
  await grant('analysts', 'read');
  await grant('owners', 'manage');
  await operator('POST', '/lake/v1/roles/analysts/members', { kind: 'claim', name: 'data-analysts' });
  await operator('POST', '/lake/v1/roles/owners/members', { kind: 'subject', name: 'carol' });

  const analyst = await issuer.token({ realm_access: { roles: ['data-analysts', 'x'] } });
  expect(await statusOf(analyst)).toBe(200);
  expect((await catalog.withToken(analyst)('DELETE', '/v1/namespaces/a/tables/t')).status).toBe(403);
  expect(await statusOf(await issuer.token({ realm_access: { roles: ['analysts'] } }))).toBe(404);
  expect(await statusOf(await issuer.token())).toBe(404);
  const carol = catalog.withToken(await issuer.token({ sub: 'carol' }));
  expect((await carol('DELETE', '/v1/namespaces/a/tables/t')).status).toBe(204);
  // A principal of the catalog's own of the same name is somebody else.
  const own = await catalog.as('carol');
  expect((await own('GET', '/v1/namespaces/a')).status).toBe(404);
  const { body } = await operator('GET', '/lake/v1/audit?principal=oidc:carol');
  expect(body.entries).toMatchObject([
    { action: 'DELETE /v1/namespaces/:namespace/tables/:table', outcome: 'applied' },
  ]);
});

it('refuses tokens of others, for others, out of their time, and unsigned ones', async () => {
  catalog = await guardedCatalog({ oidc: settings() });
  const now = Math.floor(Date.now() / 1000);
  const stranger = await generateKeyPair('RS256', { extractable: true });
  const first = issuer.keys.get('first')!;
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer.url, aud: 'lake', sub: 'alice', iat: now, exp: now + 600 };
  const hmac = (secret: string) => {
    const text = `${encode({ alg: 'HS256', kid: 'first' })}.${encode(claims)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const pem = await exportSPKI(first.publicKey);
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64');
  const good = await issuer.token();
  const [head = '', , signature = ''] = good.split('.');
  const bad: Readonly<Record<string, string>> = {
    'wrong issuer': await issuer.token({ iss: 'https://elsewhere.example' }),
    'issuer with a slash': await issuer.token({ iss: `${issuer.url}/` }),
    'wrong audience': await issuer.token({ aud: 'other' }),
    'no audience': await issuer.token({ aud: undefined }),
    expired: await issuer.token({}, { life: -61 }),
    'not yet valid': await issuer.token({ nbf: now + 120 }),
    'no end': await issuer.token({ exp: undefined }),
    'no subject': await issuer.token({ sub: undefined }),
    'a subject that is no text': await issuer.token({ sub: 7 }),
    'an empty subject': await issuer.token({ sub: '' }),
    "a stranger's key under a known id": await issuer.token({}, { key: stranger }),
    'an unknown key': await issuer.token({}, { kid: 'unknown', key: stranger }),
    unsigned: `${encode({ alg: 'none' })}.${encode(claims)}.`,
    'the public key as a shared secret (PEM)': hmac(pem),
    'the public key as a shared secret (DER)': hmac(der),
    'other claims': `${head}.${encode({ ...claims, sub: 'root' })}.${signature}`,
    'claims to be our own': await issuer.token({
      iss: 'urn:lakewarden:catalog',
      aud: 'urn:lakewarden:catalog',
    }),
  };
  for (const [what, token] of Object.entries(bad)) {
    const { status } = await catalog.withToken(token)('GET', '/v1/namespaces');
    expect([what, status]).toEqual([what, 401]);
  }
  expect((await catalog.withToken(good)('GET', '/v1/namespaces')).status).toBe(200);
  // Clocks differ: a minute is let pass.
  expect(
    (await catalog.withToken(await issuer.token({}, { life: -30 }))('GET', '/v1/namespaces')).status,
  ).toBe(200);
});

it('follows a change of the keys, and does not ask for them at every token', async () => {
  const oidc = new Oidc(settings(), systemClock, 0);
  const old = await issuer.token();
  for (let at = 0; at < 5; at++) await oidc.verify(old);
  expect(issuer.fetched).toBe(1);
  await issuer.addKey('second');
  issuer.keys.delete('first');
  await oidc.verify(await issuer.token({}, { kid: 'second' }));
  expect(issuer.fetched).toBe(2);
  await expect(oidc.verify(old)).rejects.toMatchObject({ context: { type: 'NotAuthorizedException' } });
});

it('asks no more often for unknown keys than every half minute', async () => {
  const oidc = new Oidc(settings(), systemClock);
  await oidc.verify(await issuer.token());
  const stranger = await generateKeyPair('RS256', { extractable: true });
  for (let at = 0; at < 10; at++) {
    const token = await issuer.token({}, { kid: `unknown-${at}`, key: stranger });
    await expect(oidc.verify(token)).rejects.toMatchObject({ kind: 'forbidden' });
  }
  expect(issuer.fetched).toBe(1);
});

it('says that the issuer is not there (503), and not that the token is bad', async () => {
  const token = await issuer.token();
  issuer.status = 500;
  const oidc = new Oidc(settings(), systemClock);
  await expect(oidc.verify(token)).rejects.toMatchObject({ kind: 'unavailable' });
  issuer.status = 200;
  await expect(oidc.verify(token)).resolves.toEqual({ subject: 'alice', roles: [] });
  const byUri = new Oidc({ ...settings(), jwksUri: `${issuer.url}/keys` }, systemClock);
  issuer.status = 404;
  await expect(byUri.verify(token)).rejects.toMatchObject({ kind: 'unavailable' });
});

it('refuses a discovery document of another issuer', async () => {
  issuer.discovery = (url) => ({ issuer: 'https://elsewhere.example', jwks_uri: `${url}/keys` });
  const oidc = new Oidc(settings(), systemClock);
  await expect(oidc.verify(await issuer.token())).rejects.toMatchObject({ kind: 'unavailable' });
});

it('takes roles from a claim by its name, a path, or words in one text', async () => {
  const rolesOf = async (rolesClaim: string, claims: Readonly<Record<string, unknown>>) =>
    (await new Oidc({ ...settings(), rolesClaim }, systemClock).verify(await issuer.token(claims))).roles;
  expect(await rolesOf('https://x/roles', { 'https://x/roles': ['a', 7, '', 'b'] })).toEqual(['a', 'b']);
  expect(await rolesOf('a.b.c', { a: { b: { c: ['x'] } } })).toEqual(['x']);
  expect(await rolesOf('scope', { scope: 'one two' })).toEqual(['one', 'two']);
  expect(await rolesOf('a.b', { a: 'text' })).toEqual([]);
  expect(await rolesOf('constructor.name', {})).toEqual([]);
});
