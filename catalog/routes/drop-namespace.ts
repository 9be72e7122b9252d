import { allow, needs } from '../auth/access.ts';
import { namespaceOf } from '../http/request.ts';
import type { Route } from './route.ts';

/** DELETE /v1/namespaces/{namespace} */
export const dropNamespace: Route = (app, { store }) => {
  app.delete('/v1/namespaces/:namespace', allow(needs('manage', 'namespace')), async (request, reply) => {
    await store.dropNamespace(namespaceOf(request));
    return reply.code(204).send();
  });
};
