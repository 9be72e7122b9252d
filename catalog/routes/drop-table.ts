import * as z from 'zod';
import { allow, needsOf } from '../auth/access.ts';
import { branchOf, checked } from '../http/request.ts';
import { dropBranch } from '../service/drop-branch.ts';
import { dropTable as drop, purgeTable } from '../service/drop-table.ts';
import type { Route } from './route.ts';

const query = z.object({ purgeRequested: z.enum(['true', 'false', 'True', 'False']).default('false') });

const access = needsOf('manage on the table; write or maintain to drop a branch by its name', (request) => {
  const { table, branch } = branchOf(request);
  return [
    { anyOf: branch === null ? ['manage'] : ['write', 'maintain'], on: { kind: 'table', name: table } },
  ];
});

/**
 * DELETE /v1/namespaces/{namespace}/tables/{table}: takes the table out of the catalog. Its files stay; with `purgeRequested` they go
 * after the answer. By a branch's name only the branch goes.
 */
export const dropTable: Route = (app, context) => {
  app.delete('/v1/namespaces/:namespace/tables/:table', allow(access), async (request, reply) => {
    const { purgeRequested } = checked(query, request.query, 'query');
    const { table, branch } = branchOf(request);
    if (branch !== null) {
      await dropBranch(context, table, branch);
    } else if (purgeRequested.toLowerCase() === 'true') {
      await purgeTable(context, table);
      await context.startPurges(request.log);
    } else {
      await drop(context, table);
    }
    return reply.code(204).send();
  });
};
