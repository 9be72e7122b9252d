import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { DELEGATION, delegatedAccess } from '../http/delegated-access.ts';
import { etagOf, isKnown, sendLoaded } from '../http/loaded.ts';
import { checked, tableOf } from '../http/request.ts';
import { onlyReferenced } from '../service/load-table.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { Route } from './route.ts';

const query = z.object({ snapshots: z.enum(['all', 'refs']).default('all') });

/** GET and HEAD /v1/namespaces/{namespace}/tables/{table} */
export const loadTable: Route = (app, context) => {
  const { store, files, vending } = context;
  app.get(
    '/v1/namespaces/:namespace/tables/:table',
    allow(needs('read', 'table')),
    async (request, reply) => {
      const { snapshots } = checked(query, request.query, 'query');
      const table = tableOf(request);
      const pointer = await store.findTable(table);
      if (pointer === null) throw noSuchTable(table);
      const etag = etagOf(pointer.metadataLocation, snapshots);
      // Who asks for credentials needs fresh ones, though the table is the same.
      const isAsked = vending.delegationFor(request.headers[DELEGATION]) !== null;
      if (!isAsked && isKnown(request, etag)) return reply.code(304).header('etag', etag).send();
      const file = await files.readStanding(pointer.metadataLocation);
      const access = await delegatedAccess(context, request, { table, metadata: file.metadata });
      return sendLoaded(reply, snapshots === 'refs' ? onlyReferenced(file) : file, { snapshots, access });
    },
  );
  app.head(
    '/v1/namespaces/:namespace/tables/:table',
    allow(needs('read', 'table')),
    async (request, reply) => {
      const table = tableOf(request);
      if ((await store.findTable(table)) === null) throw noSuchTable(table);
      return reply.code(204).send();
    },
  );
};
