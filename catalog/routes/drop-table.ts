import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { checked, tableOf } from '../http/request.ts';
import { dropTable as drop, purgeTable } from '../service/drop-table.ts';
import type { Route } from './route.ts';

const query = z.object({ purgeRequested: z.enum(['true', 'false', 'True', 'False']).default('false') });

/**
 * DELETE /v1/namespaces/{namespace}/tables/{table}: takes the table out of the catalog. Its files stay; with `purgeRequested` they go
 * after the answer.
 */
export const dropTable: Route = (app, context) => {
  app.delete(
    '/v1/namespaces/:namespace/tables/:table',
    allow(needs('manage', 'table')),
    async (request, reply) => {
      const { purgeRequested } = checked(query, request.query, 'query');
      const table = tableOf(request);
      if (purgeRequested.toLowerCase() === 'true') {
        await purgeTable(context, table);
        await context.startPurges(request.log);
      } else {
        await drop(context, table);
      }
      return reply.code(204).send();
    },
  );
};
