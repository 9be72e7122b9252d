import * as z from 'zod';
import { allow, needs, needsOf, needsOnTableOrAll } from '../auth/access.ts';
import { bodyOf, checked, idOf, levelsSchema } from '../http/request.ts';
import type { Relocation } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const begin = z.object({
  'relocation-id': z.string().min(1),
  'lease-id': z.string().min(1),
  namespace: levelsSchema,
  table: z.string().min(1),
  'table-uuid': z.string().min(1),
  'grace-ms': z.number().int().min(0),
  plan: z.unknown(),
});
const filter = z.object({ 'table-uuid': z.string().optional(), state: z.string().optional() });
const change = z.object({
  state: z.enum(['rolled-back', 'finished', 'cleaned']),
  'lease-id': z.string().optional(),
});

/** Name and uuid come from the client, and may be of two tables. */
const access = needsOf('maintain on the table', (request) => {
  const { namespace, table: name, 'table-uuid': uuid } = bodyOf(request, begin);
  return [
    { anyOf: ['maintain'], on: { kind: 'table-uuid', uuid } },
    { anyOf: ['maintain'], on: { kind: 'table', name: { namespace, name } } },
  ];
});

function toJson(relocation: Relocation) {
  return {
    'relocation-id': relocation.id,
    'lease-id': relocation.leaseId,
    namespace: relocation.namespace,
    table: relocation.name,
    'table-uuid': relocation.tableUuid,
    'grace-ms': relocation.graceMs,
    plan: relocation.plan,
    state: relocation.state,
    'created-at-ms': relocation.createdAtMs,
    'swapped-at-ms': relocation.swappedAtMs,
  };
}

/** /lake/v1/relocations: begin, look up, end. */
export const relocations: Route = (app, { store, clock }) => {
  app.post('/lake/v1/relocations', allow(access), async (request) => {
    const wanted = bodyOf(request, begin);
    const relocation: Relocation = {
      id: wanted['relocation-id'],
      leaseId: wanted['lease-id'],
      namespace: wanted.namespace,
      name: wanted.table,
      tableUuid: wanted['table-uuid'],
      graceMs: wanted['grace-ms'],
      plan: wanted.plan ?? null,
      state: 'copying',
      createdAtMs: clock.now(),
      swappedAtMs: null,
    };
    await store.createRelocation(relocation);
    return toJson(relocation);
  });
  app.get('/lake/v1/relocations', allow(needsOnTableOrAll('maintain')), async (request) => {
    const { 'table-uuid': tableUuid, state } = checked(filter, request.query, 'query');
    const found = await store.listRelocations({
      ...(tableUuid === undefined ? {} : { tableUuid }),
      ...(state === undefined ? {} : { state }),
    });
    return { relocations: found.map(toJson) };
  });
  app.get('/lake/v1/relocations/:id', allow(needs('maintain', 'relocation')), async (request) =>
    toJson(await store.getRelocation(idOf(request))),
  );
  app.post('/lake/v1/relocations/:id/state', allow(needs('maintain', 'relocation')), async (request) => {
    const { state, 'lease-id': leaseId = null } = bodyOf(request, change);
    await store.setRelocationState(idOf(request), { state, leaseId, nowMs: clock.now() });
    return toJson(await store.getRelocation(idOf(request)));
  });
};
