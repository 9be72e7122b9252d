import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { systemClock } from '../../src/clock.ts';
import { SCHEMA } from '../catalog/lake.ts';
import { folder } from './filled-database.ts';
import { type ServingProcess, sent, startServing, writeProject } from './serving-process.ts';

const CLIENTS = 32;
const TABLES = 4;

let dir: string;
let server: ServingProcess;

beforeEach(async () => {
  dir = await folder();
  await writeProject(dir, { shutdown_grace: '3s' });
  server = await startServing(dir);
});

afterEach(async () => {
  server.child.kill('SIGKILL');
  await server.ended;
  await rm(dir, { recursive: true });
});

it('answers every commit rightly while SIGTERM comes, and ends with 0', async () => {
  await sent(server.uri, '/v1/namespaces', { namespace: ['n'] });
  for (let table = 0; table < TABLES; table++) {
    await sent(server.uri, '/v1/namespaces/n/tables', { name: `t${table}`, schema: SCHEMA });
  }
  const outcomes = new Map<string, number | null>();
  const refusals: unknown[] = [];
  let isEnding = false;
  const client = async (name: number): Promise<void> => {
    for (let at = 0; ; at++) {
      const property = `c${name}-${at}`;
      const updates = [{ action: 'set-properties', updates: { [property]: 'x' } }];
      const answer = await sent(server.uri, `/v1/namespaces/n/tables/t${name % TABLES}`, {
        requirements: [],
        updates,
      });
      outcomes.set(property, answer?.status ?? null);
      if (answer?.status === 503)
        refusals.push({ ...Object(answer.body).error, retryAfter: answer.retryAfter });
      if (isEnding && answer?.status !== 200 && answer?.status !== 409) return;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, name) => client(name));
  await expect.poll(() => outcomes.size).toBeGreaterThan(CLIENTS * 2);
  isEnding = true;
  server.child.kill('SIGTERM');
  await Promise.all(clients);
  expect(await server.ended).toBe(0);
  const there = new Set<string>();
  const catalog = await openEmbeddedCatalog({
    database: join(dir, 'catalog.db'),
    warehouse: `file://${dir}/warehouse`,
    clock: systemClock,
  });
  for (let table = 0; table < TABLES; table++) {
    const { metadata } = await catalog.loadTable({ namespace: ['n'], name: `t${table}` });
    for (const name of Object.keys(metadata.properties)) there.add(name);
  }
  await catalog.close();
  for (const [property, status] of outcomes) {
    if (status === 200) expect(there.has(property), `${property} was answered 200`).toBe(true);
    // Without an answer are only those that came to a closed door.
    else expect(there.has(property), `${property} was answered ${status}`).toBe(false);
    expect([200, 409, 503, null]).toContain(status);
  }
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ type: 'ServiceUnavailableException', code: 503, retryAfter: '1' });
  }
});

/** A request whose body never ends holds the server up. */
async function heldUp(): Promise<{ readonly end: Promise<unknown> }> {
  const { promise: isAtWork, resolve } = Promise.withResolvers<void>();
  const { hostname, port } = new URL(server.uri);
  const socket = connect(Number(port), hostname, () => {
    const head = [
      'POST /v1/namespaces HTTP/1.1',
      'host: 127.0.0.1',
      'content-type: application/json',
      'content-length: 9',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n{`, () => resolve());
  });
  const end = new Promise((done) => socket.once('close', done).on('error', done));
  await isAtWork;
  await expect.poll(async () => (await fetch(`${server.uri}/health`)).status).toBe(200);
  return { end };
}

it('cuts what is not done within the grace', async () => {
  const { end } = await heldUp();
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);
  expect(server.said()).toMatch(/connections are cut requests=1/);
  await end;
});

it('ends at once by a second signal', async () => {
  const { end } = await heldUp();
  server.child.kill('SIGTERM');
  await expect.poll(() => server.said()).toMatch(/stopping/);
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe('SIGTERM');
  await end;
});
