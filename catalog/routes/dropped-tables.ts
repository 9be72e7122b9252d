import * as z from 'zod';
import { checked, extensionPageOf, identifierSchema, idOf, tokenOf } from '../http/request.ts';
import { purgeDropped } from '../service/drop-table.ts';
import type { DroppedTable } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const STATES = ['dropped', 'purging', 'listed', 'purged'] as const;
const filter = z.object({ state: z.enum(STATES).optional() });
const undropBody = z.object({ to: identifierSchema.optional() }).optional();

function toJson(dropped: DroppedTable) {
  return {
    id: dropped.id,
    namespace: dropped.namespace,
    table: dropped.name,
    'table-uuid': dropped.uuid,
    'metadata-location': dropped.metadataLocation,
    'dropped-at-ms': dropped.droppedAtMs,
    state: dropped.state,
    ...(dropped.note === null ? {} : { note: dropped.note }),
  };
}

/** /lake/v1/dropped-tables: what was dropped, brought back or purged; /lake/v1/purges: goes on with purges that wait. */
export const droppedTables: Route = (app, context) => {
  const { store } = context;
  app.get('/lake/v1/dropped-tables', async (request) => {
    const { state } = checked(filter, request.query, 'query');
    const page = await store.listDropped(state === undefined ? STATES : [state], extensionPageOf(request));
    return { 'dropped-tables': page.rows.map(toJson), ...tokenOf(page.next) };
  });
  app.get('/lake/v1/dropped-tables/:id', async (request) => toJson(await store.getDropped(idOf(request))));
  app.post('/lake/v1/dropped-tables/:id/undrop', async (request) => {
    const to = checked(undropBody, request.body ?? undefined, 'request body')?.to ?? null;
    const { namespace, name, metadataLocation } = await store.undrop(idOf(request), to);
    return { namespace, table: name, 'metadata-location': metadataLocation };
  });
  app.post('/lake/v1/dropped-tables/:id/purge', async (request, reply) => {
    await purgeDropped(context, idOf(request));
    await context.startPurges(request.log);
    return reply.code(204).send();
  });
  app.post('/lake/v1/purges', async () => ({ purges: await context.purges.run() }));
};
