import * as z from 'zod';
import { allow, needs, needsOf } from '../auth/access.ts';
import { bodyOf, idOf } from '../http/request.ts';
import type { Route } from './route.ts';

const ttl = z.number().int().min(1);
const acquire = z.object({ 'table-uuid': z.string().min(1), holder: z.string().min(1), 'ttl-ms': ttl });
const renew = z.object({ 'ttl-ms': ttl });

const access = needsOf('maintain on the table', (request) => [
  { anyOf: ['maintain'], on: { kind: 'table-uuid', uuid: bodyOf(request, acquire)['table-uuid'] } },
]);

/** /lake/v1/leases: the right to move a table, one holder at a time. */
export const leases: Route = (app, { store, clock }) => {
  const answer = (id: string, expiresAtMs: number) => ({ 'lease-id': id, 'expires-at-ms': expiresAtMs });
  app.post('/lake/v1/leases', allow(access), async (request) => {
    const wanted = bodyOf(request, acquire);
    const nowMs = clock.now();
    const lease = { id: clock.uuid(), expiresAtMs: nowMs + wanted['ttl-ms'] };
    await store.acquireLease({ ...lease, tableUuid: wanted['table-uuid'], holder: wanted.holder }, nowMs);
    return answer(lease.id, lease.expiresAtMs);
  });
  app.post('/lake/v1/leases/:id/renew', allow(needs('maintain', 'lease')), async (request) => {
    const expiresAtMs = clock.now() + bodyOf(request, renew)['ttl-ms'];
    await store.renewLease({ id: idOf(request), expiresAtMs });
    return answer(idOf(request), expiresAtMs);
  });
  app.delete('/lake/v1/leases/:id', allow(needs('maintain', 'lease')), async (request, reply) => {
    await store.releaseLease(idOf(request));
    return reply.code(204).send();
  });
};
