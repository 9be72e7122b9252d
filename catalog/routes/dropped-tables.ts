import * as z from 'zod';
import { allow, type Need, needs, needsOf } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { visiblePage } from '../auth/visible-page.ts';
import { checked, extensionPageOf, identifierSchema, idOf, tokenOf } from '../http/request.ts';
import { purgeDropped } from '../service/drop-table.ts';
import type { DroppedTable } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const STATES = ['dropped', 'purging', 'listed', 'purged'] as const;
const filter = z.object({ state: z.enum(STATES).optional() });
const undropBody = z.object({ to: identifierSchema.optional() }).optional();

const access = needsOf('manage on the dropped table, and on the namespace of `to`', (request) => {
  const to = checked(undropBody, request.body ?? undefined, 'request body')?.to;
  const dropped: Need = { anyOf: ['manage'], on: { kind: 'dropped-table', id: idOf(request) } };
  if (to === undefined) return [dropped];
  return [dropped, { anyOf: ['manage'], on: { kind: 'namespace', levels: to.namespace } }];
});

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
  app.get('/lake/v1/dropped-tables', allow('authenticated'), async (request) => {
    const { state } = checked(filter, request.query, 'query');
    const states = state === undefined ? STATES : [state];
    const page = await visiblePage((part) => store.listDropped(states, part), extensionPageOf(request), {
      isVisible: ({ id }) => callerOf(request).may(['manage'], { kind: 'dropped-table', id }),
      keyOf: ({ id }) => id,
    });
    return { 'dropped-tables': page.rows.map(toJson), ...tokenOf(page.next) };
  });
  app.get('/lake/v1/dropped-tables/:id', allow(needs('manage', 'dropped-table')), async (request) =>
    toJson(await store.getDropped(idOf(request))),
  );
  app.post('/lake/v1/dropped-tables/:id/undrop', allow(access), async (request) => {
    const to = checked(undropBody, request.body ?? undefined, 'request body')?.to ?? null;
    const { namespace, name, metadataLocation } = await store.undrop(idOf(request), to);
    return { namespace, table: name, 'metadata-location': metadataLocation };
  });
  app.post(
    '/lake/v1/dropped-tables/:id/purge',
    allow(needs('manage', 'dropped-table')),
    async (request, reply) => {
      await purgeDropped(context, idOf(request));
      await context.startPurges(request.log);
      return reply.code(204).send();
    },
  );
  app.post('/lake/v1/purges', allow(needs('maintain', 'catalog')), async () => ({
    purges: await context.purges.run(),
  }));
};
