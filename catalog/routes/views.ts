import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { visiblePage } from '../auth/visible-page.ts';
import { bodyOf, nameSchema, namespaceOf, pageOf, propertiesSchema, tokenOf } from '../http/request.ts';
import { schemaShape } from '../http/structure-shapes.ts';
import { viewVersionShape } from '../http/update-schemas.ts';
import { loadResult } from '../service/load-table.ts';
import { createView } from '../service/views.ts';
import { type Route, sendJson } from './route.ts';

const body = z.object({
  name: nameSchema,
  location: z.string().min(1).nullish(),
  schema: schemaShape,
  'view-version': viewVersionShape,
  properties: propertiesSchema.nullish(),
});

/** GET and POST /v1/namespaces/{namespace}/views: lists views, creates one. */
export const views: Route = (app, context) => {
  app.get('/v1/namespaces/:namespace/views', allow(needs('see', 'namespace')), async (request) => {
    const namespace = namespaceOf(request);
    const seen = callerOf(request).namesSeen('view', namespace);
    const page = await visiblePage((part) => context.store.listViews(namespace, part), pageOf(request), {
      isVisible: (name) => seen === null || seen.has(name),
      keyOf: (name) => name,
    });
    return { identifiers: page.rows.map((name) => ({ namespace, name })), ...tokenOf(page.next) };
  });
  app.post('/v1/namespaces/:namespace/views', allow(needs('manage', 'namespace')), async (request, reply) => {
    const { name, location, schema, 'view-version': version, properties } = bodyOf(request, body);
    const file = await createView(
      context,
      { namespace: namespaceOf(request), name },
      { schema, version, properties: properties ?? {}, ...(location ? { location } : {}) },
    );
    return sendJson(reply, loadResult(file));
  });
};
