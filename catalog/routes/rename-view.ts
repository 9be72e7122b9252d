import * as z from 'zod';
import { allow, needsToRename } from '../auth/access.ts';
import { bodyOf, identifierSchema } from '../http/request.ts';
import type { Route } from './route.ts';

const body = z.object({ source: identifierSchema, destination: identifierSchema });

/** POST /v1/views/rename */
export const renameView: Route = (app, { store }) => {
  app.post('/v1/views/rename', allow(needsToRename('view')), async (request, reply) => {
    const { source, destination } = bodyOf(request, body);
    await store.renameView(source, destination);
    return reply.code(204).send();
  });
};
