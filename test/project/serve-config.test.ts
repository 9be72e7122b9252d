import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadLake } from '../../src/config.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lake-serve-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function served(serve: string | null, env: Readonly<Record<string, string>> = {}, embedded = './c.db') {
  const text = `version: 1\nname: x\nwarehouse: ./w\ncatalog:\n  embedded: "${embedded}"\n`;
  await writeFile(join(dir, 'lake.yaml'), serve === null ? text : `${text}  serve:\n${serve}\n`);
  return loadLake(dir, env);
}

it('keeps to this machine where nothing is said', async () => {
  const { serve } = await served(null);
  expect(serve).toMatchObject({
    host: '127.0.0.1',
    port: 8181,
    limits: {},
    log: { level: 'info', format: 'text' },
  });
  expect(serve.tls).toBeUndefined();
  expect(serve.metrics).toBeUndefined();
  expect(serve.trustedProxies).toBeUndefined();
});

it('reads sizes, spans of time and paths', async () => {
  const { serve } = await served(`
    tls: { cert: ./tls.crt, key: /etc/tls.key }
    behind_proxy: [loopback, 10.0.0.0/8, "fd00::/8"]
    limits: { body: 8MiB, headers: 32KB, request_timeout: 90s, in_flight: 7, per_address: { requests: 5, per: PT1M } }
    metrics: { port: 9181 }
    shutdown_grace: 5s`);
  expect(serve).toMatchObject({
    tls: { cert: join(dir, 'tls.crt'), key: '/etc/tls.key' },
    trustedProxies: ['loopback', '10.0.0.0/8', 'fd00::/8'],
    limits: {
      bodyBytes: 8 * 1024 * 1024,
      headerBytes: 32_000,
      requestTimeoutMs: 90_000,
      inFlight: 7,
      perAddress: { requests: 5, perMs: 60_000 },
    },
    metrics: { host: '127.0.0.1', port: 9181 },
    shutdownGraceMs: 5000,
  });
});

it('lets the environment override keys deep inside', async () => {
  const env = { LAKE_CATALOG__SERVE__PORT: '8282', LAKE_CATALOG__SERVE__LIMITS__IN_FLIGHT: '9' };
  const { serve } = await served('    host: 127.0.0.2', env);
  expect(serve).toMatchObject({ host: '127.0.0.2', port: 8282, limits: { inFlight: 9 } });
});

it('takes a PostgreSQL URL as it is, and a path from the project', async () => {
  const url = 'postgres://lake@db:5432/lake?schema=prod';
  expect((await served(null, {}, url)).catalog).toEqual({ kind: 'embedded', database: url });
  expect((await served(null)).catalog).toEqual({ kind: 'embedded', database: join(dir, 'c.db') });
});

it.each([
  ['    metrics: { port: 8181 }', /the metrics have a port of their own/],
  ['    limits: { request_timeout: 2m }', /or PT6M for minutes/],
  ['    behind_proxy: [everybody]', /an address or network/],
  ['    tls: { cert: a }', /key/],
  ['    port: 99999', /65535/],
  ['    prot: 1', /unknown key "prot"/],
])('refuses %s', async (text, message) => {
  await expect(served(text)).rejects.toThrow(message);
});

it('is for a catalog of the project alone', async () => {
  const text =
    'version: 1\nname: x\nwarehouse: ./w\ncatalog: { uri: "http://elsewhere", serve: { port: 1 } }\n';
  await writeFile(join(dir, 'lake.yaml'), text);
  await expect(loadLake(dir, {})).rejects.toThrow(/"serve" is for a catalog of the project/);
});
