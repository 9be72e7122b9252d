import { namespaceOf, pageOf, tokenOf } from '../http/request.ts';
import type { Route } from './route.ts';

/** GET /v1/namespaces/{namespace}/tables */
export const listTables: Route = (app, { store }) => {
  app.get('/v1/namespaces/:namespace/tables', async (request) => {
    const namespace = namespaceOf(request);
    const page = await store.listTables(namespace, pageOf(request));
    return { identifiers: page.rows.map((name) => ({ namespace, name })), ...tokenOf(page.next) };
  });
};
