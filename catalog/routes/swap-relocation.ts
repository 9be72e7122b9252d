import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, idOf } from '../http/request.ts';
import { snapshotShape } from '../http/update-schemas.ts';
import { loadResult } from '../service/load-table.ts';
import { swapRelocation as swap } from '../service/swap.ts';
import { kind } from './relocation-moves.ts';
import { type Route, sendJson } from './route.ts';

const body = z.object({
  'lease-id': z.string().min(1),
  'base-metadata-location': z.string().min(1),
  snapshots: z.array(z.object({ 'snapshot-id': z.bigint(), 'manifest-list': z.string().min(1) })),
  fences: z.array(z.object({ ref: z.string().min(1), snapshot: snapshotShape })),
  retired: z.array(z.object({ location: z.string().min(1), kind })).default([]),
});

/** POST /lake/v1/relocations/{id}/swap */
export const swapRelocation: Route = (app, context) => {
  app.post(
    '/lake/v1/relocations/:id/swap',
    allow(needs('maintain', 'relocation')),
    async (request, reply) => {
      const wanted = bodyOf(request, body);
      const file = await swap(context, idOf(request), {
        leaseId: wanted['lease-id'],
        baseMetadataLocation: wanted['base-metadata-location'],
        snapshots: wanted.snapshots.map((change) => ({
          id: change['snapshot-id'],
          manifestList: change['manifest-list'],
        })),
        fences: wanted.fences,
        retired: wanted.retired,
      });
      return sendJson(reply, loadResult(file));
    },
  );
};
