import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { newSecret } from '../../catalog/auth/secrets.ts';
import { catalogLog } from '../../catalog/operations/catalog-log.ts';
import { type CatalogServer, type CatalogServerOptions, startCatalogServer } from '../../catalog/server.ts';
import { createPrincipal } from '../../catalog/store/access-principals.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { SCHEMA } from '../catalog/lake.ts';
import { postgresMissing, startPostgres } from '../postgres/server.ts';
import { folder } from './filled-database.ts';
import { sent } from './serving-process.ts';

let dir: string;
let server: CatalogServer;
let lines: string[] = [];
let databases = 0;

beforeAll(async () => {
  dir = await folder();
});
afterEach(async () => {
  await server.close();
  lines = [];
});
afterAll(() => rm(dir, { recursive: true }));

async function start(options: Partial<CatalogServerOptions> = {}): Promise<string> {
  server = await startCatalogServer({
    database: join(dir, `catalog-${++databases}.db`),
    warehouse: 'memory://warehouse',
    objects: new MemoryStore(systemClock),
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    logger: catalogLog({ level: 'info', format: 'json', write: (line) => lines.push(line) }),
    ...options,
  });
  return server.address;
}

const logged = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

it('exposes the metrics that the docs list, and no others', async () => {
  const uri = await start({ serve: { metrics: { host: '127.0.0.1', port: 0 } } });
  await sent(uri, '/v1/namespaces', { namespace: ['n'] });
  await sent(uri, '/v1/namespaces/n/tables', { name: 't', schema: SCHEMA });
  const commit = (name: string, requirements: object[]) =>
    sent(uri, `/v1/namespaces/n/tables/${name}`, {
      requirements,
      updates: [{ action: 'set-properties', updates: { a: 'b' } }],
    });
  await commit('t', []);
  await commit('t', [{ type: 'assert-table-uuid', uuid: 'another' }]);
  await commit('none-such', []);
  await fetch(`${uri}/v1/namespaces/n/tables/secret-name-${'x'.repeat(50)}`);
  await fetch(`${uri}/no/such/route`);
  const text = await (await fetch(String(server.metricsAddress))).text();
  const exposed = [...text.matchAll(/^# TYPE (lakewarden_\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  const docs = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const rows = [...docs.matchAll(/^\| `(lakewarden_\w+)` \| (\w+) \| (.*?) \|/gm)];
  expect(exposed.sort()).toEqual(rows.map(([, name, type]) => `${name} ${type}`).sort());
  // The labels too, of those that have a value by now.
  for (const [, name = '', , labels = ''] of rows) {
    const told = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort();
    const sample = new RegExp(`^${name}(?:_count)?\\{(.*)\\} `, 'm').exec(text)?.[1];
    if (sample === undefined) continue;
    expect([...sample.matchAll(/(\w+)="/g)].map(([, label]) => label).sort(), name).toEqual(told);
  }
  expect(text).toContain('lakewarden_catalog_commits_total{kind="table",outcome="committed"} 1');
  expect(text).toContain('lakewarden_catalog_commits_total{kind="table",outcome="conflict"} 1');
  expect(text).toContain('lakewarden_catalog_commits_total{kind="table",outcome="refused"} 1');
  expect(text).toMatch(/^lakewarden_catalog_tables 1$/m);
  expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  // What clients make up is in no label.
  expect(text).not.toContain('secret-name');
  expect(text).not.toContain('no/such');
});

it('answers with the id of a request, and logs one line of it without secrets', async () => {
  const uri = await start();
  const asked = async (id: string) =>
    (
      await fetch(`${uri}/v1/namespaces?token=s3cr3t`, {
        headers: { 'x-request-id': id, authorization: 'Bearer s3cr3t-token' },
      })
    ).headers.get('x-request-id');
  expect(await asked('trace-1/a:b')).toBe('trace-1/a:b');
  const made = await asked('two words');
  expect(made).toMatch(/^[0-9a-f-]{36}$/);
  await expect.poll(() => logged().filter(({ msg }) => msg === 'request').length).toBe(2);
  const [first, second] = logged().filter(({ msg }) => msg === 'request');
  expect(first).toMatchObject({
    request_id: 'trace-1/a:b',
    method: 'GET',
    path: '/v1/namespaces',
    route: '/v1/namespaces',
    status: 200,
    address: '127.0.0.1',
    principal: null,
  });
  expect(second).toMatchObject({ request_id: made });
  expect(lines.join()).not.toContain('s3cr3t');
});

it('logs failures with their stack, blots out passwords, and tells the client the id alone', async () => {
  const objects = new MemoryStore(systemClock);
  objects.put = async () => {
    throw new LakeError('unavailable', 'cannot reach postgres://lake:hunter2@db/x with Bearer abcdefghij');
  };
  const uri = await start({ objects });
  await sent(uri, '/v1/namespaces', { namespace: ['n'] });
  const answer = await sent(uri, '/v1/namespaces/n/tables', { name: 't', schema: SCHEMA });
  expect(answer).toMatchObject({
    status: 503,
    retryAfter: '1',
    body: { error: { 'request-id': expect.any(String) } },
  });
  const failure = logged().find(({ level }) => level === 50);
  expect(JSON.stringify(failure)).toContain('serving.test.ts');
  expect(lines.join()).not.toMatch(/hunter2|abcdefghij/);
});

it('sends requests away beyond what it takes at once, and answers probes all the same', async () => {
  const gate = Promise.withResolvers<void>();
  const objects = new MemoryStore(systemClock);
  const put = objects.put.bind(objects);
  objects.put = async (...args) => {
    await gate.promise;
    return put(...args);
  };
  const uri = await start({ objects, serve: { limits: { inFlight: 2 } } });
  await sent(uri, '/v1/namespaces', { namespace: ['n'] });
  const create = (name: string) => sent(uri, '/v1/namespaces/n/tables', { name, schema: SCHEMA });
  const held = [create('a'), create('b')];
  await expect.poll(async () => (await fetch(`${uri}/v1/namespaces`)).status).toBe(503);
  expect(await create('c')).toMatchObject({ status: 503, retryAfter: '1' });
  expect((await fetch(`${uri}/health`)).status).toBe(200);
  gate.resolve();
  expect((await Promise.all(held)).map((answer) => answer?.status)).toEqual([200, 200]);
  const tables = await (await fetch(`${uri}/v1/namespaces/n/tables`)).json();
  expect(JSON.stringify(tables)).not.toContain('"c"');
});

it('gives the place of a request back whose client went away', async () => {
  const gate = Promise.withResolvers<void>();
  const objects = new MemoryStore(systemClock);
  const put = objects.put.bind(objects);
  let isHeld = false;
  objects.put = async (...args) => {
    isHeld = true;
    await gate.promise;
    return put(...args);
  };
  const uri = await start({ objects, serve: { limits: { inFlight: 1 } } });
  await sent(uri, '/v1/namespaces', { namespace: ['n'] });
  const { hostname, port } = new URL(uri);
  const leave = async (text: string, isAtWork: () => Promise<boolean>) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    await expect.poll(isAtWork).toBe(true);
    socket.destroy();
  };
  const isFull = async () => (await fetch(`${uri}/v1/config`)).status === 503;
  const head = (length: number) =>
    `POST /v1/namespaces/n/tables HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  // In the middle of its body.
  for (let at = 0; at < 3; at++) {
    await leave(`${head(1000)}{`, isFull);
    await expect.poll(isFull).toBe(false);
  }
  // While it is worked on: the place is taken until that is done or the answer cannot be sent.
  const body = JSON.stringify({ name: 't', schema: SCHEMA });
  await leave(`${head(body.length)}${body}`, async () => isHeld);
  gate.resolve();
  await expect.poll(isFull).toBe(false);
});

it('limits how often an address may ask, behind a proxy by the address that it tells', async () => {
  const limits = { perAddress: { requests: 3, perMs: 60_000 } };
  const uri = await start({ serve: { limits, trustedProxies: ['127.0.0.1'] } });
  const from = async (address: string) =>
    fetch(`${uri}/v1/namespaces`, { headers: { 'x-forwarded-for': address } });
  for (let at = 0; at < 3; at++) expect((await from('192.0.2.1')).status).toBe(200);
  const refused = await from('192.0.2.1');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ error: { code: 429, type: 'TooManyRequestsException' } });
  expect((await from('192.0.2.2')).status).toBe(200);
  for (let at = 0; at < 5; at++) expect((await fetch(`${uri}/health`)).status).toBe(200);
});

it('believes no forwarded address of a stranger', async () => {
  const uri = await start({ serve: { limits: { perAddress: { requests: 2, perMs: 60_000 } } } });
  const statuses: number[] = [];
  for (let at = 0; at < 3; at++) {
    statuses.push(
      (await fetch(`${uri}/v1/config`, { headers: { 'x-forwarded-for': `192.0.2.${at}` } })).status,
    );
  }
  expect(statuses).toEqual([200, 200, 429]);
});

it('limits how often a principal may ask, wherever from', async () => {
  const database = join(dir, 'principals.db');
  const store = await openCatalogStore(database, systemClock);
  const forms: string[] = [];
  for (const name of ['one', 'other']) {
    const secret = await newSecret();
    const principal = { id: name, name, createdAtMs: 0, disabledAtMs: null };
    const hashed = { ...secret, createdAtMs: 0, expiresAtMs: null };
    await store.access.change((sql) => createPrincipal(sql, principal, hashed));
    forms.push(`grant_type=client_credentials&client_id=${name}&client_secret=${secret.text}`);
  }
  await store.close();
  const limits = { perPrincipal: { requests: 3, perMs: 60_000 } };
  const uri = await start({ database, auth: {}, serve: { limits } });
  const statuses: Record<string, number[]> = {};
  for (const form of forms) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const signedIn = await fetch(`${uri}/v1/oauth/tokens`, { method: 'POST', headers, body: form });
    const { access_token: token } = (await signedIn.json()) as { access_token: string };
    const seen: number[] = [];
    for (let at = 0; at < 4; at++) {
      const answer = await fetch(`${uri}/v1/namespaces`, { headers: { authorization: `Bearer ${token}` } });
      seen.push(answer.status);
    }
    statuses[form] = seen;
  }
  for (const form of forms) expect(statuses[form]).toEqual([200, 200, 200, 429]);
  expect(lines.some((line) => line.includes('"principal":"one"'))).toBe(true);
  expect(lines.join()).not.toMatch(/client_secret|lake_/);
});

it('refuses bodies and headers that are too large', async () => {
  const uri = await start({ serve: { limits: { bodyBytes: 1000, headerBytes: 4096 } } });
  const large = await sent(uri, '/v1/namespaces', { namespace: ['n'], properties: { a: 'x'.repeat(2000) } });
  expect(large?.status).toBe(413);
  expect((await fetch(`${uri}/v1/config`, { headers: { 'x-large': 'x'.repeat(6000) } })).status).toBe(431);
});

it('says which part is down, and not why', async () => {
  const objects = new MemoryStore(systemClock);
  const uri = await start({ objects });
  expect(await (await fetch(`${uri}/health/ready`)).json()).toEqual({
    status: 'ok',
    parts: { database: 'ok', storage: 'ok' },
  });
  let asked = 0;
  // biome-ignore lint/correctness/useYield: it fails before
  objects.list = async function* () {
    asked += 1;
    throw new LakeError('unavailable', 'no answer from secret.internal');
  };
  await expect.poll(async () => (await fetch(`${uri}/health/ready`)).status).toBe(503);
  const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(`${uri}/health/ready`)));
  const text = await answers[0]?.text();
  expect(text).toBe('{"status":"down","parts":{"database":"ok","storage":"down"}}');
  expect(asked).toBeLessThan(5);
  expect((await fetch(`${uri}/health`)).status).toBe(200);
});

it.skipIf(postgresMissing() !== null)('tells that the database is down', async () => {
  const postgres = await startPostgres();
  try {
    const uri = await start({ database: postgres.url });
    expect((await fetch(`${uri}/health/ready`)).status).toBe(200);
    await postgres.stop();
    await expect.poll(async () => (await fetch(`${uri}/health/ready`)).status).toBe(503);
    const answer = await (await fetch(`${uri}/health/ready`)).json();
    expect(answer).toMatchObject({ parts: { database: expect.stringMatching(/down|slow/), storage: 'ok' } });
    expect(JSON.stringify(answer)).not.toMatch(/127\.0\.0\.1|postgres|ECONN/);
  } finally {
    await postgres.stop();
  }
});

it('calls a part slow that does not answer in time', async () => {
  const objects = new MemoryStore(systemClock);
  objects.list = async function* () {
    await new Promise(() => {});
  };
  const uri = await start({ objects });
  const answer = await fetch(`${uri}/health/ready`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ parts: { storage: 'slow' } });
});

/** Node makes no certificates. */
const withOpenssl = it.skipIf(
  spawnSync('openssl', ['version']).status !== 0 && process.env['CI'] === undefined,
);

/** A self-signed pair for `name`. */
function makePair(name: string): { cert: string; key: string } {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  const words = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  execFileSync('openssl', [...words, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}

/** The name in the certificate that the server shows to a new connection. */
function shownBy(uri: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = tlsRequest(`${uri}/health`, { rejectUnauthorized: false, agent: false }, (answer) => {
    const { CN } = (answer.socket as TLSSocket).getPeerCertificate().subject;
    answer.resume();
    resolve(String(CN));
  });
  asked.once('error', reject);
  asked.end();
  return promise;
}

withOpenssl('takes a renewed certificate into use, and no broken one', async () => {
  const [first, second] = [makePair('first'), makePair('second')];
  const tls = { cert: join(dir, 'live.crt'), key: join(dir, 'live.key') };
  const use = async (cert: string, key: string) => {
    await copyFile(cert, tls.cert);
    await copyFile(key, tls.key);
  };
  await use(first.cert, first.key);
  const uri = await start({ serve: { tls, tlsLookMs: 20 } });
  expect(uri).toMatch(/^https:/);
  expect(await shownBy(uri)).toBe('first');
  for (const broken of ['no certificate', '', await readFile(second.cert, 'utf8')]) {
    lines = [];
    await writeFile(tls.cert, broken);
    await expect.poll(() => lines.join()).toContain('the changed TLS files are not used');
    expect(await shownBy(uri)).toBe('first');
  }
  await use(second.cert, second.key);
  await expect.poll(() => shownBy(uri)).toBe('second');
});

withOpenssl('lets in only clients of the authority, if one is named', async () => {
  const [own, client] = [makePair('own'), makePair('client')];
  const uri = await start({ serve: { tls: { ...own, clientCa: client.cert } } });
  const ask = async (pair?: { cert: string; key: string }) => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const shown =
      pair === undefined ? {} : { cert: await readFile(pair.cert), key: await readFile(pair.key) };
    const asked = tlsRequest(
      `${uri}/health`,
      { rejectUnauthorized: false, agent: false, ...shown },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    );
    asked.once('error', reject);
    asked.end();
    return promise;
  };
  expect(await ask(client)).toBe(200);
  await expect(ask()).rejects.toThrow();
  await expect(ask(own)).rejects.toThrow();
});

withOpenssl('does not start with a pair that does not fit', async () => {
  await start();
  const [one, other] = [makePair('one'), makePair('other')];
  const unfit = startCatalogServer({
    database: join(dir, 'unfit.db'),
    warehouse: 'memory://warehouse',
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    serve: { tls: { cert: one.cert, key: other.key } },
  });
  await expect(unfit).rejects.toMatchObject({ kind: 'invalid-file', hint: expect.stringContaining('PEM') });
});
