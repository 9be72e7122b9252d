import type { Route } from './route.ts';

/**
 * GET /lake/v1/tables: every table with its uuid, as they all were at one moment. A walk over the namespaces would miss tables that
 * are renamed while it goes on.
 */
export const allTables: Route = (app, { store }) => {
  app.get('/lake/v1/tables', async () => ({
    tables: (await store.allTables()).map(({ namespace, name, uuid, metadataLocation }) => ({
      namespace,
      name,
      'table-uuid': uuid,
      'metadata-location': metadataLocation,
    })),
  }));
};
