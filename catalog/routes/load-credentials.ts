import { allow, needs } from '../auth/access.ts';
import { rightOf } from '../http/delegated-access.ts';
import { notKept } from '../http/loaded.ts';
import { branchOf } from '../http/request.ts';
import { currentFile } from '../service/load-table.ts';
import type { Route } from './route.ts';

/** GET /v1/namespaces/{namespace}/tables/{table}/credentials; not there where no store has STS. */
export const loadCredentials: Route = (app, context) => {
  const { vending } = context;
  if (!vending.givesCredentials) return;
  app.get(
    '/v1/namespaces/:namespace/tables/:table/credentials',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const { table } = branchOf(request);
      const { metadata } = await currentFile(context, table);
      const named = { table, metadata };
      const access = await vending.accessTo(named, await rightOf(request, named), 'credentials');
      return notKept(reply, access).send({ 'storage-credentials': access?.storageCredentials ?? [] });
    },
  );
};
