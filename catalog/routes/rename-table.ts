import * as z from 'zod';
import { allow, needsToRename } from '../auth/access.ts';
import { bodyOf, identifierSchema } from '../http/request.ts';
import type { Route } from './route.ts';

const body = z.object({ source: identifierSchema, destination: identifierSchema });

/** POST /v1/tables/rename */
export const renameTable: Route = (app, { store }) => {
  app.post('/v1/tables/rename', allow(needsToRename('table')), async (request, reply) => {
    const { source, destination } = bodyOf(request, body);
    await store.renameTable(source, destination);
    return reply.code(204).send();
  });
};
