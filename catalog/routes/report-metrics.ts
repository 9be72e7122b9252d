import { tableOf } from '../http/request.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { Route } from './route.ts';

/** POST /v1/namespaces/{namespace}/tables/{table}/metrics: scan and commit reports of clients go to the log. */
export const reportMetrics: Route = (app, { store }) => {
  app.post('/v1/namespaces/:namespace/tables/:table/metrics', async (request, reply) => {
    const table = tableOf(request);
    if ((await store.findTable(table)) === null) throw noSuchTable(table);
    request.log.debug({ table, report: request.body }, 'metrics report');
    return reply.code(204).send();
  });
};
