import { allow, needs } from '../auth/access.ts';
import type { StandingPointer } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

function toJson({ namespace, name, uuid, metadataLocation }: StandingPointer) {
  return { namespace, name, 'table-uuid': uuid, 'metadata-location': metadataLocation };
}

/**
 * GET /lake/v1/tables: every table with its uuid, as they all were at one moment, and in `others` the views and the dropped tables that
 * can be brought back: their files stay too. A walk over the namespaces would miss tables that are renamed while it goes on. Files are deleted
 * on the proof that no table of this list names them: there is no list of only those that the caller may see.
 */
export const allTables: Route = (app, { store }) => {
  app.get('/lake/v1/tables', allow(needs('maintain', 'catalog')), async () => {
    const standing = await store.allStanding();
    return {
      tables: standing.filter(({ kind }) => kind === 'table').map(toJson),
      others: standing
        .filter(({ kind }) => kind !== 'table')
        .map((one) => ({ kind: one.kind, ...toJson(one) })),
    };
  });
};
