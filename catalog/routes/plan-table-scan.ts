import { allow, needs } from '../auth/access.ts';
import { sendPlan } from '../http/planned.ts';
import { bodyOf, branchOf } from '../http/request.ts';
import { boundsFormOf } from '../planning/content-file.ts';
import { pinScan, scanRequestShape } from '../planning/scan-request.ts';
import { shownFile } from '../service/table-branch.ts';
import type { Route } from './route.ts';

/** POST /v1/namespaces/{namespace}/tables/{table}/plan */
export const planTableScan: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/tables/:table/plan',
    allow(needs('read', 'table-or-branch')),
    async (request, reply) => {
      const wanted = bodyOf(request, scanRequestShape);
      const named = branchOf(request);
      const { metadata } = await shownFile(context, named);
      const form = boundsFormOf(request.headers);
      const planning = context.scanPlans.plan(metadata, pinScan(metadata, wanted), form);
      return sendPlan(context, request, reply, { table: named.table, metadata }, planning);
    },
  );
};
