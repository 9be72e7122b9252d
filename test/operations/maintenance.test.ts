import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CatalogServer, startCatalogServer } from '../../catalog/server.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';
import { newTable } from '../catalog/lake.ts';
import { postgresOfFile } from '../postgres/catalog.ts';
import { folder } from './filled-database.ts';
import { sent } from './serving-process.ts';

const T = { namespace: ['n'], name: 't' };
const WRITERS = 12;

let dir: string;
const running: CatalogServer[] = [];
const postgres = postgresOfFile();

beforeAll(async () => {
  dir = await folder();
});

afterAll(async () => {
  for (const server of running) await server.close();
  await rm(dir, { recursive: true });
});

/** Two servers of one catalog. */
async function replicas(database: string): Promise<[string, string]> {
  const options = {
    database,
    warehouse: `file://${dir}/hot`,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  };
  const servers = [await startCatalogServer(options), await startCatalogServer(options)] as const;
  running.push(...servers);
  return [servers[0].address, servers[1].address];
}

/** Properties of the table, each set by one commit. */
async function commitsOf(uri: string): Promise<string[]> {
  const { metadata } = await new RestCatalog({ uri }).loadTable(T);
  return Object.keys(metadata.properties).sort();
}

async function switchedDuringCommits(database: string): Promise<void> {
  const [one, other] = await replicas(database);
  await newTable(new RestCatalog({ uri: one }), T);
  const applied: string[] = [];
  const refused: unknown[] = [];
  const writer = async (name: number): Promise<void> => {
    for (let at = 0; ; at++) {
      const updates = [{ action: 'set-properties', updates: { [`w${name}-${at}`]: 'x' } }];
      const uri = name % 2 === 0 ? one : other;
      const answer = await sent(uri, '/v1/namespaces/n/tables/t', { requirements: [], updates });
      if (answer?.status === 200) applied.push(`w${name}-${at}`);
      else if (answer?.status !== 409) {
        refused.push(answer);
        return;
      }
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, name) => writer(name));
  await expect.poll(() => applied.length).toBeGreaterThan(WRITERS);
  const on = await sent(one, '/lake/v1/maintenance', { on: true, reason: 'upgrade' });
  expect(on).toMatchObject({ status: 200, body: { on: true, reason: 'upgrade' } });
  // From the answer on nothing changes, whichever server the writers use, and whatever was on its way.
  const then = await commitsOf(other);
  await Promise.all(writers);
  expect(await commitsOf(one)).toEqual(then);
  expect(then).toEqual(applied.sort());
  for (const answer of refused) {
    expect(answer).toMatchObject({
      status: 503,
      retryAfter: '10',
      body: { error: { type: 'ServiceUnavailableException', message: expect.stringContaining('upgrade') } },
    });
  }
  // Other changes too, and reads go on.
  expect(await sent(other, '/v1/namespaces', { namespace: ['m'] })).toMatchObject({ status: 503 });
  expect((await fetch(`${other}/v1/namespaces/m`)).status).toBe(404);
  expect(await sent(other, '/lake/v1/maintenance', { on: false })).toMatchObject({ body: { on: false } });
  await expect.poll(async () => (await sent(one, '/v1/namespaces', { namespace: ['m'] }))?.status).toBe(200);
}

it('applies no change after it was switched on, on any server: SQLite', async () => {
  await switchedDuringCommits(join(dir, 'catalog.db'));
});

describe.skipIf(postgres.missing !== null)('PostgreSQL', () => {
  it('applies no change after it was switched on, on any server', async () => {
    await switchedDuringCommits(postgres.place());
  });
});

it('answers a repeated request of before as done, and does nothing', async () => {
  const [uri] = await replicas(join(dir, 'repeated.db'));
  const key = '018f6b1e-7c00-7000-8000-000000000001';
  const create = () =>
    fetch(`${uri}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ namespace: ['once'] }),
    });
  expect((await create()).status).toBe(200);
  await sent(uri, '/lake/v1/maintenance', { on: true });
  // A 503 would say that it was not applied.
  expect((await create()).status).toBe(200);
});
