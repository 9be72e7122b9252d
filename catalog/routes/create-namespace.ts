import * as z from 'zod';
import { allow, CATALOG, needsOf } from '../auth/access.ts';
import { bodyOf, checkLevels, levelsSchema, propertiesSchema } from '../http/request.ts';
import type { Route } from './route.ts';

const body = z.object({ namespace: levelsSchema, properties: propertiesSchema.default({}) });

/** On the namespace above, be it there or not: what is missing of it is created too. */
const access = needsOf('manage on the namespace above, for an outermost one on the catalog', (request) => {
  const parent = bodyOf(request, body).namespace.slice(0, -1);
  const on = parent.length === 0 ? CATALOG : ({ kind: 'namespace', levels: parent } as const);
  return [{ anyOf: ['manage'], on, about: CATALOG }];
});

/** POST /v1/namespaces: parents that are missing are created too. */
export const createNamespace: Route = (app, { store }) => {
  app.post('/v1/namespaces', allow(access), async (request) => {
    const { namespace, properties } = bodyOf(request, body);
    checkLevels(request, namespace);
    await store.createNamespace(namespace, properties);
    return { namespace, properties };
  });
};
