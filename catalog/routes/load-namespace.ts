import { allow, needs } from '../auth/access.ts';
import { namespaceOf } from '../http/request.ts';
import { namespaceLocation } from '../service/create-table.ts';
import type { Route } from './route.ts';

/**
 * GET and HEAD /v1/namespaces/{namespace}. A `location` is told where none was set: Trino makes the locations of new tables from it,
 * and without it creates a table whose folder it then takes for somebody else's.
 */
export const loadNamespace: Route = (app, { store, warehouse }) => {
  app.get('/v1/namespaces/:namespace', allow(needs('see', 'namespace')), async (request) => {
    const namespace = namespaceOf(request);
    const properties = await store.loadNamespace(namespace);
    return { namespace, properties: { location: namespaceLocation(warehouse, namespace), ...properties } };
  });
  app.head('/v1/namespaces/:namespace', allow(needs('see', 'namespace')), async (request, reply) => {
    await store.loadNamespace(namespaceOf(request));
    return reply.code(204).send();
  });
};
