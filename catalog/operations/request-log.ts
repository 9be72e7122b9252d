import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { isProbe } from './admission.ts';

/** What a client may call its request: enough for a UUID or a trace, and nothing that could break a line of the log. */
const SANE_ID = /^[\w.:/+=-]{1,128}$/;

/** The id of a request: the client's `X-Request-Id` if it is sane, else a new one. */
export function requestIds(clock: Clock): (request: IncomingMessage) => string {
  return (request) => {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && SANE_ID.test(given) ? given : clock.uuid();
  };
}

/** One line for each request, when it is answered, and its id in the answer. Queries and headers, which may hold secrets, are not told. */
export function logRequests(
  app: FastifyInstance,
  principalOf: (request: FastifyRequest) => string | null,
): void {
  const told = new WeakSet<FastifyRequest>();
  const tell = (request: FastifyRequest, reply: FastifyReply, message: string) => {
    if (told.has(request)) return;
    told.add(request);
    const line = {
      method: request.method,
      path: pathOf(request.url),
      route: request.routeOptions.url ?? null,
      status: reply.raw.headersSent ? reply.statusCode : null,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      bytes: bytesOf(reply.getHeader('content-length')),
      address: request.ip,
      principal: principalOf(request),
    };
    // Load balancers ask all the time.
    if (isProbe(request)) request.log.debug(line, message);
    else request.log.info(line, message);
  };
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    // A client that goes away before its request is whole gets no answer, and `onResponse` never comes.
    reply.raw.once('close', () => setImmediate(() => tell(request, reply, 'request given up')));
  });
  app.addHook('onResponse', async (request, reply) => tell(request, reply, 'request'));
}

function pathOf(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.length > 512 ? `${path.slice(0, 512)}…` : path;
}

function bytesOf(length: unknown): number {
  return Number(length ?? 0);
}
