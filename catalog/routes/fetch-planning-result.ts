import { allow, needs } from '../auth/access.ts';
import { sendPlan } from '../http/planned.ts';
import { branchOf, planIdOf } from '../http/request.ts';
import { boundsFormOf } from '../planning/content-file.ts';
import { shownFile } from '../service/table-branch.ts';
import type { Route } from './route.ts';

/** GET /v1/namespaces/{namespace}/tables/{table}/plan/{plan-id} */
export const fetchPlanningResult: Route = (app, context) => {
  app.get(
    '/v1/namespaces/:namespace/tables/:table/plan/:planId',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const named = branchOf(request);
      const { metadata } = await shownFile(context, named);
      const form = boundsFormOf(request.headers);
      const planning = context.scanPlans.fetch(metadata, planIdOf(request), form);
      return sendPlan(context, request, reply, { table: named.table, metadata }, planning);
    },
  );
};
