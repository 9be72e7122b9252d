import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { TrinoEngine } from '../../src/engine/trino.ts';

/** What a server answers to one request: JSON, an HTTP status, or nothing at all. */
type Answer = object | number | 'hang up' | 'page';

const clock = { ...systemClock, sleep: async () => {} };
let server: Server | undefined;
const seen: string[] = [];

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  seen.length = 0;
});

/** Trino as far as a client sees it; the answers to GETs come in their order, the last one for ever. */
async function fakeTrino(answers: readonly Answer[]): Promise<TrinoEngine> {
  let at = 0;
  let address = '';
  let isCancelled = false;
  const state = (answer: object) => ({ id: 'q1', ...answer });
  const take = (request: IncomingMessage): Answer => {
    seen.push(`${request.method} ${request.url}`);
    if (request.method === 'POST') return { nextUri: `${address}/v1/next` };
    if (request.method === 'DELETE') {
      isCancelled = true;
      return 204;
    }
    if (isCancelled)
      return {
        error: { errorName: 'USER_CANCELED', errorType: 'USER_ERROR', message: 'Query was canceled' },
      };
    return answers[Math.min(at++, answers.length - 1)] ?? 404;
  };
  const made = createServer((request, response) => {
    const answer = take(request);
    if (answer === 'hang up') request.socket.destroy();
    else if (answer === 'page') response.end('<html>');
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(JSON.stringify(state(answer)).replaceAll('HERE', address));
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  return new TrinoEngine({ server: address, catalog: 'lake', user: 'tests' }, clock);
}

const columns = [{ name: 'a', type: 'bigint', typeSignature: { rawType: 'bigint', arguments: [] } }];
const page = (value: number) => ({ columns, data: [[value]], nextUri: 'HERE/v1/next' });
const cancelled = () => seen.filter((line) => line === 'DELETE /v1/query/q1').length;

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
  await expect.poll(() => seen.length).toBeGreaterThan(2);
  await trino.cancel();
  await expect(rows).rejects.toMatchObject({ kind: 'unavailable' });
  expect(cancelled()).toBe(1);
});

it('a server that is lost leaves a reading query unavailable and a writing statement unknown', async () => {
  const reading = await fakeTrino([page(1), 'hang up']);
  await expect(reading.rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
  server?.close();
  const writing = await fakeTrino([{ nextUri: 'HERE/v1/next' }, 404]);
  await expect(writing.run('INSERT INTO a SELECT 1')).rejects.toMatchObject({ kind: 'unknown-outcome' });
});

it('a server that was never reached has done nothing', async () => {
  const trino = new TrinoEngine({ server: 'http://127.0.0.1:1', catalog: 'lake', user: 'tests' }, clock);
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
  await expect((await fakeTrino([401])).rows('SELECT a')).rejects.toMatchObject({ kind: 'forbidden' });
  server?.close();
  const made = createServer((_, response) => response.end('<html>'));
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  const other = new TrinoEngine({ server: address, catalog: 'lake', user: 'tests' }, clock);
  await expect(other.rows('SELECT a')).rejects.toMatchObject({ kind: 'unavailable' });
});
