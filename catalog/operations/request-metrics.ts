import type { FastifyInstance } from 'fastify';
import type { CatalogMetrics, CommitKind, CommitOutcome } from './metrics.ts';

const COMMITS: Readonly<Record<string, CommitKind>> = {
  'POST /v1/namespaces/:namespace/tables/:table': 'table',
  'POST /v1/transactions/commit': 'transaction',
  'POST /v1/namespaces/:namespace/views/:view': 'view',
  'POST /lake/v1/relocations/:id/swap': 'relocation',
};
/** Paths that no route has: one label for all that strangers try. */
const NO_ROUTE = 'none';

/** Counts every request, by the template of its route, and what became of commits. */
export function countRequests(app: FastifyInstance, metrics: CatalogMetrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? NO_ROUTE;
    metrics.requestDone(route, knownMethod(method), reply.statusCode, reply.elapsedTime / 1000);
    const commit = COMMITS[`${method} ${route}`];
    if (commit !== undefined) metrics.commitDone(commit, outcomeOf(reply.statusCode));
  });
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];

function knownMethod(method: string): string {
  return METHODS.includes(method) ? method : 'other';
}

/** As the REST spec has it: 503 and 429 have certainly not been applied, other 5xx may have been. */
function outcomeOf(status: number): CommitOutcome {
  if (status < 400) return 'committed';
  if (status === 409) return 'conflict';
  return status < 500 || status === 503 ? 'refused' : 'unknown';
}
