import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server answers to one request: a state of the query, an HTTP status, a redirect, a page of HTML, or nothing at all. */
export type Answer = object | number | 'hang up' | 'page' | { readonly redirect: string };

export interface FakeTrino {
  /** `http://127.0.0.1:port` */
  readonly address: string;
  /** Requests so far: `GET /v1/next`. */
  readonly seen: readonly string[];
  /** How often the query was cancelled. */
  cancelled(): number;
  close(): void;
}

const CANCELLED = {
  error: { errorName: 'USER_CANCELED', errorType: 'USER_ERROR', message: 'Query was canceled' },
};

/**
 * Trino as far as a client sees it: one query, `q1`. The answers to GETs come in their order, the last one for ever; `HERE` in them is the server's address.
 *
 * @param after what is answered once the query was cancelled
 */
export async function startFakeTrino(
  answers: readonly Answer[],
  { first = { nextUri: 'HERE/v1/next' }, after = CANCELLED }: { first?: Answer; after?: Answer } = {},
): Promise<FakeTrino> {
  let at = 0;
  let address = '';
  const seen: string[] = [];
  const cancelled = () => seen.filter((line) => line === 'DELETE /v1/query/q1').length;
  const take = (request: IncomingMessage): Answer => {
    seen.push(`${request.method} ${request.url}`);
    if (request.method === 'POST') return first;
    if (request.method === 'DELETE') return 204;
    if (cancelled() > 0) return after;
    return answers[Math.min(at++, answers.length - 1)] ?? 404;
  };
  const server = createServer((request, response) => {
    const answer = take(request);
    if (answer === 'hang up') request.socket.destroy();
    else if (answer === 'page') response.end('<html>');
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else if (typeof answer !== 'object') response.end(answer);
    else if ('redirect' in answer) response.writeHead(307, { location: String(answer.redirect) }).end();
    else response.end(JSON.stringify({ id: 'q1', ...answer }).replaceAll('HERE', address));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { address, seen, cancelled, close };
}
