import { createHmac } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { FailedSignIns } from '../../catalog/auth/failed-sign-ins.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { askForToken, type GuardedCatalog, guardedCatalog, signIn } from './guarded-catalog.ts';

let catalog: GuardedCatalog | undefined;
let nowMs = 1_800_000_000_000;
const clock: Clock = { ...systemClock, now: () => nowMs };

afterEach(async () => {
  await catalog?.dispose();
  catalog = undefined;
});

async function withSecret(settings = {}) {
  catalog = await guardedCatalog(settings, clock);
  const made = await catalog.operator('POST', '/lake/v1/principals', { name: 'etl', admin: true });
  return { catalog, secret: String(made.body.secret) };
}

const form = (client_id: string, client_secret: string) => ({
  grant_type: 'client_credentials',
  client_id,
  client_secret,
});

it('gives a token for client id and secret, in the form or in the Basic header', async () => {
  const { catalog, secret } = await withSecret();
  const answer = await askForToken(catalog.app, { ...form('etl', secret), scope: 'catalog' });
  expect(answer).toMatchObject({
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: { token_type: 'bearer', expires_in: 3600, scope: 'catalog' },
  });
  expect((await catalog.withToken(answer.body.access_token)('GET', '/v1/namespaces')).status).toBe(200);
  const basic = Buffer.from(`etl:${encodeURIComponent(secret)}`).toString('base64');
  const byHeader = await askForToken(
    catalog.app,
    { grant_type: 'client_credentials' },
    { authorization: `Basic ${basic}` },
  );
  expect(byHeader.status).toBe(200);
});

it('answers refusals in the error model of OAuth', async () => {
  const { catalog, secret } = await withSecret();
  const { app } = catalog;
  for (const wrong of [`${secret}x`, secret.slice(0, -1), '', `lake_0123456789abcdef_${'A'.repeat(43)}`]) {
    const answer = await askForToken(app, form('etl', wrong));
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(String(answer.headers['www-authenticate'])).toContain('Basic');
  }
  const unknown = await askForToken(app, form('nobody', secret));
  const wrong = await askForToken(app, form('etl', 'wrong'));
  expect(unknown.body).toEqual(wrong.body);
  expect(await askForToken(app, { client_id: 'etl' })).toMatchObject({
    status: 400,
    body: { error: 'invalid_request' },
  });
  expect(await askForToken(app, { grant_type: 'client_credentials' })).toMatchObject({
    status: 400,
    body: { error: 'invalid_request' },
  });
  const exchange = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: 'x' };
  expect(await askForToken(app, exchange)).toMatchObject({
    status: 400,
    body: { error: 'unsupported_grant_type' },
  });
  const json = await app.inject({ method: 'POST', url: '/v1/oauth/tokens', payload: { grant_type: 'x' } });
  expect(json.statusCode).toBe(400);
  expect(json.json()).toMatchObject({ error: 'unsupported_grant_type' });
  const long = await askForToken(app, form('etl', 'x'.repeat(100_000)));
  expect(long).toMatchObject({ status: 413, body: { error: 'invalid_request' } });
});

it('ends a token with its time, and with its principal', async () => {
  const { catalog, secret } = await withSecret({ tokenLifetimeMs: 600_000 });
  const send = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  expect((await send('GET', '/v1/namespaces')).status).toBe(200);
  nowMs += 601_000;
  const expired = await send('GET', '/v1/namespaces');
  expect(expired).toMatchObject({
    status: 401,
    body: { error: { type: 'NotAuthorizedException', code: 401 } },
  });
  expect(expired.headers['www-authenticate']).toBe('Bearer realm="lakewarden", error="invalid_token"');

  const again = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  await catalog.operator('POST', '/lake/v1/principals/etl/state', { disabled: true });
  expect((await again('GET', '/v1/namespaces')).status).toBe(401);
  expect((await askForToken(catalog.app, form('etl', secret))).status).toBe(401);
  await catalog.operator('POST', '/lake/v1/principals/etl/state', { disabled: false });
  expect((await again('GET', '/v1/namespaces')).status).toBe(200);

  // Another principal of the same name is another one.
  await catalog.operator('DELETE', '/lake/v1/principals/etl');
  await catalog.operator('POST', '/lake/v1/principals', { name: 'etl', admin: true });
  expect((await again('GET', '/v1/namespaces')).status).toBe(401);
});

it('takes two secrets while one runs out, and never three', async () => {
  const { catalog, secret: first } = await withSecret();
  const rotate = async (overlapMs: number) => {
    const answer = await catalog.operator('POST', '/lake/v1/principals/etl/rotate', {
      'overlap-ms': overlapMs,
    });
    expect(answer.status).toBe(200);
    nowMs += 1;
    return String(answer.body.secret);
  };
  const status = async (secret: string) => (await askForToken(catalog.app, form('etl', secret))).status;
  const second = await rotate(60_000);
  expect([await status(first), await status(second)]).toEqual([200, 200]);
  const third = await rotate(60_000);
  expect([await status(first), await status(second), await status(third)]).toEqual([401, 200, 200]);
  nowMs += 60_000;
  expect([await status(second), await status(third)]).toEqual([401, 200]);
  const fourth = await rotate(0);
  expect([await status(third), await status(fourth)]).toEqual([401, 200]);
});

it('refuses forged tokens: no signature, another key, its own key as a shared secret, tampered claims', async () => {
  const { catalog, secret } = await withSecret();
  const token = await signIn(catalog.app, 'etl', secret);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const none = `${encode({ alg: 'none', kid, typ: 'at+jwt' })}.${payload}.`;
  const hsHeader = encode({ alg: 'HS256', kid, typ: 'at+jwt' });
  const hmac = createHmac('sha256', kid).update(`${hsHeader}.${payload}`).digest('base64url');
  const other = encode({ ...claims, sub: 'somebody-else' });
  const unknownKey = encode({ alg: 'EdDSA', kid: 'nobodys', typ: 'at+jwt' });
  const bad = [
    none,
    `${hsHeader}.${payload}.${hmac}`,
    `${header}.${other}.${signature}`,
    `${unknownKey}.${payload}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    'x',
    'a.b.c',
    token.slice(0, -2),
    'x'.repeat(40_000),
  ];
  for (const one of bad) {
    const answer = await catalog.withToken(one)('GET', '/v1/namespaces');
    expect([one.slice(0, 40), answer.status]).toEqual([one.slice(0, 40), 401]);
  }
  const basic = await catalog.anyone('GET', '/v1/namespaces', undefined, { authorization: 'Basic YTpi' });
  expect(basic.status).toBe(401);
  expect((await catalog.withToken(token)('GET', '/v1/namespaces')).status).toBe(200);
});

it('makes new signing keys: old tokens go on, unless they are revoked', async () => {
  const { catalog, secret } = await withSecret();
  const old = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  await catalog.operator('POST', '/lake/v1/signing-keys/rotate', { revoke: false });
  nowMs += 11_000;
  const fresh = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  expect([
    (await old('GET', '/v1/namespaces')).status,
    (await fresh('GET', '/v1/namespaces')).status,
  ]).toEqual([200, 200]);
  await catalog.operator('POST', '/lake/v1/signing-keys/rotate', { revoke: true });
  nowMs += 11_000;
  expect([
    (await old('GET', '/v1/namespaces')).status,
    (await fresh('GET', '/v1/namespaces')).status,
  ]).toEqual([401, 401]);
  const last = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  expect((await last('GET', '/v1/namespaces')).status).toBe(200);
  // A month later a key is made by itself; tokens of the one before are good to their end.
  nowMs += 31 * 24 * 3_600_000;
  const later = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  expect((await later('GET', '/v1/namespaces')).status).toBe(200);
});

it('lets nobody guess: after ten wrong secrets a client waits, at that address', async () => {
  const { catalog, secret } = await withSecret();
  for (let attempt = 0; attempt < 10; attempt++) {
    expect((await askForToken(catalog.app, form('etl', 'wrong'))).status).toBe(401);
  }
  // The right secret was not seen yet: it waits too.
  const blocked = await askForToken(catalog.app, form('etl', secret));
  expect(blocked).toMatchObject({ status: 429, body: { error: 'invalid_client' } });
  expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0);
  const elsewhere = await catalog.app.inject({
    method: 'POST',
    url: '/v1/oauth/tokens',
    remoteAddress: '10.1.2.3',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(form('etl', secret)).toString(),
  });
  expect(elsewhere.statusCode).toBe(200);
  nowMs += 61_000;
  expect((await askForToken(catalog.app, form('etl', secret))).status).toBe(200);
});

it('keeps nobody out whose secret was right before, though others guess from the same address', async () => {
  const { catalog, secret } = await withSecret();
  expect((await askForToken(catalog.app, form('etl', secret))).status).toBe(200);
  for (let attempt = 0; attempt < 10; attempt++) {
    expect((await askForToken(catalog.app, form('etl', 'wrong'))).status).toBe(401);
  }
  expect((await askForToken(catalog.app, form('etl', 'wrong'))).status).toBe(429);
  expect((await askForToken(catalog.app, form('etl', secret))).status).toBe(200);
});

it('counts failures in bounded memory', () => {
  const failed = new FailedSignIns();
  for (let at = 0; at < 50_000; at++) failed.failed(`client-${at}`, `10.0.${at >> 8}.${at & 255}`, at);
  expect(failed.size).toBeLessThanOrEqual(20_000);
});

it('shows a secret in the answer that makes it, and nowhere else', async () => {
  const { catalog, secret } = await withSecret();
  const send = catalog.withToken(await signIn(catalog.app, 'etl', secret));
  await askForToken(catalog.app, form('etl', `${secret}wrong`));
  await askForToken(catalog.app, form(secret.slice(0, 60), 'x'));
  const texts = await Promise.all(
    ['/lake/v1/principals', '/lake/v1/audit', '/lake/v1/roles', '/lake/v1/grants'].map(async (path) =>
      JSON.stringify((await send('GET', path)).body),
    ),
  );
  const random = secret.split('_').slice(2).join('_');
  for (const text of texts) expect(text).not.toContain(random);
  expect(texts[1]).toContain('principal etl');
});
