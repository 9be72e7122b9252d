import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import { inMaintenance, type Maintenance } from '../store/maintenance.ts';

/** POST requests that change nothing of what the catalog keeps of tables: planning, reports, tokens and credentials, the switch itself. */
const NO_CHANGE = /\/(plan|tasks|metrics|sign|tokens|maintenance)(\/|$)/;
const KNOWN_MS = 1000;

/**
 * Refuses changes early while the catalog is in maintenance, so that no files are written for them. It may be a second behind: that
 * none is applied is for the store to see to, in the transaction of the change. Added after the hooks that answer repeated requests,
 * as a change that was applied must not be called refused.
 */
export function refuseInMaintenance(
  app: FastifyInstance,
  parts: {
    readonly store: Pick<CatalogStore, 'findMaintenance'>;
    readonly clock: Clock;
    readonly onRefusal?: () => void;
  },
): void {
  const { store, clock, onRefusal } = parts;
  let known: { readonly untilMs: number; readonly maintenance: Promise<Maintenance | null> } | null = null;
  app.addHook('preHandler', async (request) => {
    if (!isChange(request)) return;
    const nowMs = clock.now();
    if (known === null || known.untilMs <= nowMs || known.untilMs > nowMs + KNOWN_MS) {
      known = { untilMs: nowMs + KNOWN_MS, maintenance: store.findMaintenance() };
      known.maintenance.catch(() => {
        known = null;
      });
    }
    const maintenance = await known.maintenance;
    if (maintenance === null) return;
    onRefusal?.();
    throw inMaintenance(maintenance);
  });
}

function isChange({ method, routeOptions }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD' && !NO_CHANGE.test(routeOptions.url ?? '');
}
