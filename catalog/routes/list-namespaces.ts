import * as z from 'zod';
import { checked, levelsOf, pageOf, tokenOf } from '../http/request.ts';
import type { Route } from './route.ts';

const query = z.object({ parent: z.string().optional() });

/** GET /v1/namespaces */
export const listNamespaces: Route = (app, { store }) => {
  app.get('/v1/namespaces', async (request) => {
    const { parent = '' } = checked(query, request.query, 'query');
    const page = await store.listNamespaces(parent === '' ? [] : levelsOf(parent), pageOf(request));
    return { namespaces: page.rows, ...tokenOf(page.next) };
  });
};
