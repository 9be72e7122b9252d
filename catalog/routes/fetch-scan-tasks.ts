import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, branchOf } from '../http/request.ts';
import { boundsFormOf } from '../planning/content-file.ts';
import { shownFile } from '../service/table-branch.ts';
import type { Route } from './route.ts';

const body = z.object({ 'plan-task': z.string().min(1) });

/** POST /v1/namespaces/{namespace}/tables/{table}/tasks */
export const fetchScanTasks: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/tables/:table/tasks',
    allow(needs('read', 'table-or-branch')),
    async (request) => {
      const task = bodyOf(request, body)['plan-task'];
      const { metadata } = await shownFile(context, branchOf(request));
      return context.scanPlans.tasks(metadata, task, boundsFormOf(request.headers));
    },
  );
};
