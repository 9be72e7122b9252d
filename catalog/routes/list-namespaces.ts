import * as z from 'zod';
import { allow, needsOf } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { visiblePage } from '../auth/visible-page.ts';
import { checked, levelsOf, pageOf, tokenOf } from '../http/request.ts';
import { joinLevels } from '../store/namespaces.ts';
import type { Route } from './route.ts';

const query = z.object({ parent: z.string().optional() });

const access = needsOf('see on the namespace `parent`; any valid token for the outermost ones', (request) => {
  const { parent = '' } = checked(query, request.query, 'query');
  return parent === ''
    ? []
    : [{ anyOf: ['see'], on: { kind: 'namespace', levels: levelsOf(request, parent) } }];
});

/** GET /v1/namespaces */
export const listNamespaces: Route = (app, { store }) => {
  app.get('/v1/namespaces', allow(access), async (request) => {
    const { parent = '' } = checked(query, request.query, 'query');
    const levels = parent === '' ? [] : levelsOf(request, parent);
    const page = await visiblePage((part) => store.listNamespaces(levels, part), pageOf(request), {
      isVisible: (row) => callerOf(request).seesNamespace(row),
      keyOf: joinLevels,
    });
    return { namespaces: page.rows, ...tokenOf(page.next) };
  });
};
