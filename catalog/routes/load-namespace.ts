import { namespaceOf } from '../http/request.ts';
import type { Route } from './route.ts';

/** GET and HEAD /v1/namespaces/{namespace} */
export const loadNamespace: Route = (app, { store }) => {
  app.get('/v1/namespaces/:namespace', async (request) => {
    const namespace = namespaceOf(request);
    return { namespace, properties: await store.loadNamespace(namespace) };
  });
  app.head('/v1/namespaces/:namespace', async (request, reply) => {
    await store.loadNamespace(namespaceOf(request));
    return reply.code(204).send();
  });
};
