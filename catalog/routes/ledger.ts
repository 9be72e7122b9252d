import * as z from 'zod';
import { allow, needs, needsOnTableOrAll } from '../auth/access.ts';
import { bodyOf, checked, extensionPageOf, tokenOf } from '../http/request.ts';
import type { LedgerEntry } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const filter = z.object({
  'table-uuid': z.string().optional(),
  'due-before-ms': z.coerce.number().int().optional(),
});
const deleted = z.object({ locations: z.array(z.string().min(1)) });

function toJson(entry: LedgerEntry) {
  return {
    location: entry.location,
    kind: entry.kind,
    'table-uuid': entry.tableUuid,
    namespace: entry.namespace,
    table: entry.name,
    'relocation-id': entry.relocationId,
    'retired-at-ms': entry.retiredAtMs,
    'delete-after-ms': entry.deleteAfterMs,
  };
}

/** /lake/v1/ledger: retired objects that still stand. `now-ms` is the clock that their times are of. */
export const ledger: Route = (app, { store, clock }) => {
  app.get('/lake/v1/ledger', allow(needsOnTableOrAll('maintain')), async (request) => {
    const { 'table-uuid': tableUuid, 'due-before-ms': dueBeforeMs } = checked(filter, request.query, 'query');
    const wanted = {
      ...(tableUuid === undefined ? {} : { tableUuid }),
      ...(dueBeforeMs === undefined ? {} : { dueBeforeMs }),
    };
    const page = await store.listLedger(wanted, extensionPageOf(request));
    return { entries: page.rows.map(toJson), 'now-ms': clock.now(), ...tokenOf(page.next) };
  });
  app.post('/lake/v1/ledger/deleted', allow(needs('maintain', 'catalog')), async (request, reply) => {
    await store.markDeleted(bodyOf(request, deleted).locations, clock.now());
    return reply.code(204).send();
  });
};
