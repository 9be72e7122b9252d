import * as z from 'zod';
import { checked, tableOf } from '../http/request.ts';
import { currentFile, loadResult, onlyReferenced } from '../service/load-table.ts';
import { noSuchTable } from '../store/not-there.ts';
import { type Route, sendJson } from './route.ts';

const query = z.object({ snapshots: z.enum(['all', 'refs']).default('all') });

/** GET and HEAD /v1/namespaces/{namespace}/tables/{table} */
export const loadTable: Route = (app, context) => {
  app.get('/v1/namespaces/:namespace/tables/:table', async (request, reply) => {
    const { snapshots } = checked(query, request.query, 'query');
    const file = await currentFile(context, tableOf(request));
    return sendJson(reply, loadResult(snapshots === 'refs' ? onlyReferenced(file) : file));
  });
  app.head('/v1/namespaces/:namespace/tables/:table', async (request, reply) => {
    const table = tableOf(request);
    if ((await context.store.findTable(table)) === null) throw noSuchTable(table);
    return reply.code(204).send();
  });
};
