import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { bodyOf } from '../http/request.ts';
import type { Maintenance } from '../store/maintenance.ts';
import type { Route } from './route.ts';

const body = z.strictObject({ on: z.boolean(), reason: z.string().min(1).max(500).optional() });

function answer(maintenance: Maintenance | null) {
  if (maintenance === null) return { on: false };
  const { sinceMs, reason } = maintenance;
  return { on: true, 'since-ms': sinceMs, ...(reason === null ? {} : { reason }) };
}

/** /lake/v1/maintenance: while it is on, no server of the catalog applies a change. */
export const maintenance: Route = (app, { store, clock }) => {
  app.get('/lake/v1/maintenance', allow('authenticated'), async () => answer(await store.findMaintenance()));
  app.post('/lake/v1/maintenance', allow(needs('manage', 'catalog')), async (request) => {
    const { on, reason } = bodyOf(request, body);
    const before = on ? await store.findMaintenance() : null;
    const after = on ? { sinceMs: before?.sinceMs ?? clock.now(), reason: reason ?? null } : null;
    await store.setMaintenance(after);
    return answer(after);
  });
};
