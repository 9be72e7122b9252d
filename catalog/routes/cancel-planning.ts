import { allow, needs } from '../auth/access.ts';
import { planIdOf, tableOf } from '../http/request.ts';
import { currentFile } from '../service/load-table.ts';
import type { Route } from './route.ts';

/** DELETE /v1/namespaces/{namespace}/tables/{table}/plan/{plan-id} */
export const cancelPlanning: Route = (app, context) => {
  app.delete(
    '/v1/namespaces/:namespace/tables/:table/plan/:planId',
    allow(needs('read', 'table')),
    async (request, reply) => {
      const { metadata } = await currentFile(context, tableOf(request));
      context.scanPlans.cancel(metadata, planIdOf(request));
      return reply.code(204).send();
    },
  );
};
