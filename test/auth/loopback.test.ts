import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isLoopback } from '../../catalog/auth/loopback.ts';
import { startCatalogServer } from '../../catalog/server.ts';
import { systemClock } from '../../src/clock.ts';

it.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['[::1]', true],
  ['localhost', true],
  ['LOCALHOST', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example.org', false],
  ['127.example.org', false],
  ['localhost.example.org', false],
  ['', false],
])('%s is reached from this machine alone: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

it('is not served to others while auth is off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lake-open-'));
  const options = {
    database: join(folder, 'catalog.db'),
    warehouse: `file://${folder}/hot`,
    port: 0,
    clock: systemClock,
  };
  try {
    for (const host of ['0.0.0.0', '::']) {
      await expect(startCatalogServer({ ...options, host })).rejects.toMatchObject({
        kind: 'usage',
        hint: expect.stringContaining('auth'),
      });
    }
    const open = await startCatalogServer({ ...options, host: '127.0.0.1' });
    expect((await fetch(`${open.address}/v1/namespaces`)).status).toBe(200);
    const { port } = new URL(open.address);
    expect(await statusOf(port, { Host: 'rebound.example.org' })).toBe(403);
    expect(await statusOf(port, { Origin: 'http://example.org' })).toBe(403);
    expect(await statusOf(port, { Host: `localhost:${port}`, Origin: 'http://localhost:3000' })).toBe(200);
    await open.close();
    const guarded = await startCatalogServer({ ...options, host: '127.0.0.1', auth: {} });
    expect((await fetch(`${guarded.address}/v1/namespaces`)).status).toBe(401);
    const config = await fetch(`${guarded.address}/v1/config`);
    expect(await config.json()).toMatchObject({ defaults: { 'token-exchange-enabled': 'false' } });
    await guarded.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** `fetch` sends no Host of one's own. */
function statusOf(port: string, headers: Record<string, string>): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const asked = request({ host: '127.0.0.1', port, path: '/v1/namespaces', headers }, (answer) => {
    answer.resume();
    resolve(answer.statusCode);
  });
  asked.once('error', reject).end();
  return promise;
}
