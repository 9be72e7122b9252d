import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { cancelAll, TrinoEngine } from '../../src/engine/trino.ts';
import { type Answer, type FakeTrino, startFakeTrino } from './fake-trino.ts';

const clock = { ...systemClock, sleep: async () => {} };
const servers: FakeTrino[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function fakeServer(...given: Parameters<typeof startFakeTrino>): Promise<FakeTrino> {
  const server = await startFakeTrino(...given);
  servers.push(server);
  return server;
}

const engineAt = (server: string, password?: string) =>
  new TrinoEngine(
    { server, catalog: 'lake', user: 'tests', ...(password === undefined ? {} : { password }) },
    clock,
  );

async function fakeTrino(answers: readonly Answer[]): Promise<TrinoEngine> {
  return engineAt((await fakeServer(answers)).address);
}

const columns = [{ name: 'a', type: 'bigint', typeSignature: { rawType: 'bigint', arguments: [] } }];
const page = (value: number) => ({ columns, data: [[value]], nextUri: 'HERE/v1/next' });
const cancelled = () => servers.reduce((sum, server) => sum + server.cancelled(), 0);
const requests = () => servers.reduce((sum, { seen }) => sum + seen.length, 0);

it('a poll that fails for a moment is sent again, and no row comes twice or is lost', async () => {
  const trino = await fakeTrino([page(1), 503, 'hang up', page(2), { columns, data: [[3]] }]);
  expect(await trino.rows('SELECT a')).toEqual([[1], [2], [3]]);
  expect(cancelled()).toBe(0);
});

it('a query that is left early is cancelled at the server', async () => {
  const trino = await fakeTrino([page(1)]);
  for await (const row of trino.objects('SELECT a')) {
    expect(row).toEqual({ a: 1 });
    break;
  }
  expect(cancelled()).toBe(1);
});

it('a query is cancelled while it waits for its first row, and ends with an error', async () => {
  const trino = await fakeTrino([{ nextUri: 'HERE/v1/next' }]);
  const rows = trino.rows('SELECT a');
  await expect.poll(requests).toBeGreaterThan(2);
  await trino.cancel();
  await expect(rows).rejects.toMatchObject({ kind: 'unavailable' });
  expect(cancelled()).toBe(1);
});

it('a server that is lost leaves a reading query unavailable and a writing statement unknown', async () => {
  const reading = await fakeTrino([page(1), 'hang up']);
  await expect(reading.rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
  const writing = await fakeTrino([{ nextUri: 'HERE/v1/next' }, 404]);
  await expect(writing.run('INSERT INTO a SELECT 1')).rejects.toMatchObject({ kind: 'unknown-outcome' });
});

it('a server that was never reached has done nothing', async () => {
  const trino = engineAt('http://127.0.0.1:1');
  await expect(trino.run('INSERT INTO a SELECT 1')).rejects.toMatchObject({
    kind: 'unavailable',
    hint: expect.stringContaining('lake.yaml'),
  });
});

it("a failed query's error is thrown, also where it is the last state, after rows", async () => {
  const error = {
    errorName: 'DIVISION_BY_ZERO',
    errorType: 'USER_ERROR',
    errorCode: 8,
    message: 'Division by zero',
  };
  const trino = await fakeTrino([page(1), { columns, error }]);
  await expect(trino.rows('SELECT a')).rejects.toMatchObject({ kind: 'invalid-argument' });
});

it("a proxy's page instead of a state does not pass for the end of the rows", async () => {
  const trino = await fakeTrino([page(1), 'page']);
  await expect(trino.rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
});

it('refused users and what is no Trino are told apart', async () => {
  const refusing = await fakeServer([], { first: 401 });
  await expect(engineAt(refusing.address).rows('SELECT a')).rejects.toMatchObject({ kind: 'forbidden' });
  const other = await fakeServer([], { first: 'page' });
  await expect(engineAt(other.address).rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
});

it('user and password go to the configured server alone, wherever its answers point to', async () => {
  const other = await fakeServer([page(1), { columns, data: [[2]] }]);
  const beyond = { columns, nextUri: `${other.address}/v1/next` };
  const waiting = { nextUri: 'HERE/v1/next' };
  const refused = {
    kind: 'unavailable',
    message: expect.stringContaining(other.address),
    hint: expect.stringContaining('http-server.process-forwarded=true'),
  };
  // In the first answer, after rows, and after an answer without rows, which trino-client keeps to itself.
  for (const answers of [[], [page(1), { ...beyond, data: [[2]] }], [waiting, beyond]]) {
    const first = answers.length === 0 ? beyond : waiting;
    const trino = await fakeServer(answers, { first });
    await expect(engineAt(trino.address, 'secret').rows('SELECT a')).rejects.toMatchObject(refused);
    expect(trino.cancelled()).toBe(1);
    const writing = engineAt((await fakeServer(answers, { first })).address, 'secret');
    await expect(writing.run('INSERT INTO a SELECT 1')).rejects.toMatchObject({ kind: 'unknown-outcome' });
  }
  const redirect = { redirect: `${other.address}/v1/statement` };
  for (const trino of [await fakeServer([redirect]), await fakeServer([], { first: redirect })]) {
    const hint = expect.stringContaining('trino.server');
    await expect(engineAt(trino.address, 'secret').rows('SELECT a')).rejects.toMatchObject({ hint });
  }
  expect(other.seen).toEqual([]);
});

it('all that runs for this process is cancelled at once, also what is only being sent, and nothing more is asked', async () => {
  const fakes = await Promise.all([1, 2].map(() => fakeServer([{ nextUri: 'HERE/v1/next' }])));
  const [first, second] = fakes.map(({ address }) => engineAt(address));
  const running = first?.rows('SELECT a');
  await expect.poll(() => fakes[0]?.seen.length).toBeGreaterThan(2);
  const sent = second?.run('INSERT INTO a SELECT 1');
  const ends = Promise.all([
    expect(running).rejects.toMatchObject({ kind: 'unavailable' }),
    expect(sent).rejects.toMatchObject({ kind: 'unknown-outcome' }),
  ]);
  await cancelAll();
  expect(fakes.map((fake) => fake.cancelled())).toEqual([1, 1]);
  await ends;
  await expect(first?.rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
});
