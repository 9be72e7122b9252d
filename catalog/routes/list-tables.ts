import { allow, needs } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { visiblePage } from '../auth/visible-page.ts';
import { namespaceOf, pageOf, tokenOf } from '../http/request.ts';
import type { Route } from './route.ts';

/** GET /v1/namespaces/{namespace}/tables */
export const listTables: Route = (app, { store }) => {
  app.get('/v1/namespaces/:namespace/tables', allow(needs('see', 'namespace')), async (request) => {
    const namespace = namespaceOf(request);
    const seen = callerOf(request).namesSeen('table', namespace);
    const page = await visiblePage((part) => store.listTables(namespace, part), pageOf(request), {
      isVisible: (name) => seen === null || seen.has(name),
      keyOf: (name) => name,
    });
    return { identifiers: page.rows.map((name) => ({ namespace, name })), ...tokenOf(page.next) };
  });
};
