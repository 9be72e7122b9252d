import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, extensionPageOf, idOf, tokenOf } from '../http/request.ts';
import type { CatalogContext } from '../service/context.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { Route } from './route.ts';

const MAX_MOVES = 5000;
export const kind = z.enum(['data', 'delete', 'manifest', 'manifest-list']);
const move = z.object({
  from: z.string().min(1),
  to: z.string().min(1),
  kind,
  size: z.number().int().min(0),
  'from-tier': z.string().nullish(),
  'to-tier': z.string().nullish(),
});
const body = z.object({
  'lease-id': z.string().min(1),
  moves: z.array(move).min(1).max(MAX_MOVES),
});

/** /lake/v1/relocations/{id}/moves: the journal of old and new locations. */
export const relocationMoves: Route = (app, context) => {
  const { store, clock } = context;
  app.post(
    '/lake/v1/relocations/:id/moves',
    allow(needs('maintain', 'relocation')),
    async (request, reply) => {
      const { moves, 'lease-id': leaseId } = bodyOf(request, body);
      const rows = moves.map(({ 'from-tier': fromTier, 'to-tier': toTier, ...rest }) => ({
        ...rest,
        fromTier: fromTier ?? null,
        toTier: toTier ?? null,
      }));
      await takePlaces(context, idOf(request), rows);
      await store.addMoves(idOf(request), rows, { leaseId, nowMs: clock.now() });
      return reply.code(204).send();
    },
  );
  app.get('/lake/v1/relocations/:id/moves', allow(needs('maintain', 'relocation')), async (request) => {
    const page = await store.listMoves(idOf(request), extensionPageOf(request));
    const moves = page.rows.map(({ fromTier, toTier, ...rest }) => ({
      ...rest,
      ...(fromTier === null ? {} : { 'from-tier': fromTier }),
      ...(toTier === null ? {} : { 'to-tier': toTier }),
    }));
    return { moves, ...tokenOf(page.next) };
  });
};

/** New objects lie in the table's own folders; those in the tiers become its own here. */
async function takePlaces(
  { store, files, places }: CatalogContext,
  relocationId: string,
  moves: readonly { readonly to: string }[],
): Promise<void> {
  const relocation = await store.getRelocation(relocationId);
  const pointer = await store.findTable(relocation);
  if (pointer?.uuid !== relocation.tableUuid) throw noSuchTable(relocation);
  const { metadata } = await files.read(pointer.metadataLocation);
  await places.takeTierFolders(
    metadata,
    moves.map(({ to }) => to),
  );
}
