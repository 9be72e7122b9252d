import type { FastifyInstance } from 'fastify';
import { LakeError } from '../../src/errors.ts';

/** True if only this machine reaches a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  return name === 'localhost' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** Without auth whoever reaches the server may do everything. Errors: `usage` where that is more than this machine. */
export function refuseOpenToOthers(host: string, isAuthOn: boolean): void {
  if (isAuthOn || isLoopback(host)) return;
  throw new LakeError(
    'usage',
    `Without auth the catalog is not served on ${host}: whoever reaches it could do everything`,
    {
      hint: 'Write `auth: {}` below catalog.serve in lake.yaml and make an account (lake catalog principal create admin --admin), or listen on 127.0.0.1.',
    },
  );
}

/**
 * Without auth, requests that name another host than this machine are refused (403): a page in somebody's browser whose host's name was
 * turned to this machine's address, or a proxy that lets others in.
 */
export function refuseOtherHosts(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { origin } = request.headers;
    const isOwn = isLoopback(request.hostname) && (origin === undefined || isLoopback(hostOf(origin)));
    if (isOwn) return;
    throw new LakeError(
      'forbidden',
      'Without auth the catalog answers requests to this machine itself only',
      {
        hint: 'Ask http://127.0.0.1, or write `auth: {}` below catalog.serve in lake.yaml and make accounts. Nothing was done.',
      },
    );
  });
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : '';
}
