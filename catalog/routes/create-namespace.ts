import * as z from 'zod';
import { bodyOf, levelsSchema, propertiesSchema } from '../http/request.ts';
import type { Route } from './route.ts';

const body = z.object({ namespace: levelsSchema, properties: propertiesSchema.default({}) });

/** POST /v1/namespaces: parents that are missing are created too. */
export const createNamespace: Route = (app, { store }) => {
  app.post('/v1/namespaces', async (request) => {
    const { namespace, properties } = bodyOf(request, body);
    await store.createNamespace(namespace, properties);
    return { namespace, properties };
  });
};
