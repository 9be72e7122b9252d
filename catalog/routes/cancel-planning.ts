import { allow, needs } from '../auth/access.ts';
import { branchOf, planIdOf } from '../http/request.ts';
import { shownFile } from '../service/table-branch.ts';
import type { Route } from './route.ts';

/** DELETE /v1/namespaces/{namespace}/tables/{table}/plan/{plan-id} */
export const cancelPlanning: Route = (app, context) => {
  app.delete(
    '/v1/namespaces/:namespace/tables/:table/plan/:planId',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const { metadata } = await shownFile(context, branchOf(request));
      context.scanPlans.cancel(metadata, planIdOf(request));
      return reply.code(204).send();
    },
  );
};
