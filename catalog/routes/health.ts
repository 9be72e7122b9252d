import { allow } from '../auth/access.ts';
import { ReadinessProbe } from '../operations/readiness.ts';
import type { Route } from './route.ts';

/** GET /health: the process answers. GET /health/ready: its database and object store do too. For load balancers: no names, no reasons. */
export const health: Route = (app, context) => {
  const { serving } = context;
  const probe = new ReadinessProbe(context, {
    onDown: (part, reason) => app.log.warn({ part, reason: textOf(reason) }, 'not ready'),
  });
  app.get('/health', allow('public'), async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  );
  app.get('/health/ready', allow('public'), async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    if (serving?.admission.stopping === true) return reply.code(503).send({ status: 'stopping' });
    const parts = await probe.ask();
    const isReady = parts.database === 'ok' && parts.storage === 'ok';
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'down', parts });
  });
};

function textOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
