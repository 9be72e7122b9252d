import { allow, needs } from '../auth/access.ts';
import { sendPlan } from '../http/planned.ts';
import { planIdOf, tableOf } from '../http/request.ts';
import { boundsFormOf } from '../planning/content-file.ts';
import { currentFile } from '../service/load-table.ts';
import type { Route } from './route.ts';

/** GET /v1/namespaces/{namespace}/tables/{table}/plan/{plan-id} */
export const fetchPlanningResult: Route = (app, context) => {
  app.get(
    '/v1/namespaces/:namespace/tables/:table/plan/:planId',
    allow(needs('read', 'table')),
    async (request, reply) => {
      const table = tableOf(request);
      const { metadata } = await currentFile(context, table);
      const form = boundsFormOf(request.headers);
      const planning = context.scanPlans.fetch(metadata, planIdOf(request), form);
      return sendPlan(context, request, reply, { table, metadata }, planning);
    },
  );
};
