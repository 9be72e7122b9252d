import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { DELEGATION, delegatedAccess } from '../http/delegated-access.ts';
import { etagOf, isKnown, sendLoaded } from '../http/loaded.ts';
import { branchOf, checked } from '../http/request.ts';
import { currentFile, onlyReferenced } from '../service/load-table.ts';
import { branchFile, requireBranch } from '../service/table-branch.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { Route } from './route.ts';

const query = z.object({ snapshots: z.enum(['all', 'refs']).default('all') });

/** GET and HEAD /v1/namespaces/{namespace}/tables/{table}; see table-branch.ts for a table by the name of a branch. */
export const loadTable: Route = (app, context) => {
  const { store, files, vending } = context;
  app.get(
    '/v1/namespaces/:namespace/tables/:table',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const { snapshots } = checked(query, request.query, 'query');
      const { table, branch } = branchOf(request);
      const pointer = await store.findTable(table);
      if (pointer === null) throw noSuchTable(table);
      const read = () => files.readStanding(pointer.metadataLocation);
      if (branch !== null) requireBranch((await read()).metadata, table, branch);
      const etag = etagOf(pointer.metadataLocation, snapshots, branch);
      // Who asks for credentials needs fresh ones, though the table is the same.
      const isAsked = vending.delegationFor(request.headers[DELEGATION]) !== null;
      if (!isAsked && isKnown(request, etag)) return reply.code(304).header('etag', etag).send();
      const file = await read();
      const access = await delegatedAccess(context, request, { table, metadata: file.metadata });
      const shown = branch === null ? file : branchFile(file, table, branch);
      const sent = snapshots === 'refs' ? onlyReferenced(shown) : shown;
      return sendLoaded(reply, sent, { snapshots, branch, access });
    },
  );
  app.head(
    '/v1/namespaces/:namespace/tables/:table',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const { table, branch } = branchOf(request);
      if (branch !== null) requireBranch((await currentFile(context, table)).metadata, table, branch);
      else if ((await store.findTable(table)) === null) throw noSuchTable(table);
      return reply.code(204).send();
    },
  );
};
