import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, nameSchema, namespaceOf } from '../http/request.ts';
import { loadResult } from '../service/load-table.ts';
import { registerView as register } from '../service/register-table.ts';
import { type Route, sendJson } from './route.ts';

const body = z.object({ name: nameSchema, 'metadata-location': z.string().min(1) });

/** POST /v1/namespaces/{namespace}/register-view: gives a name to a view whose metadata file exists. */
export const registerView: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/register-view',
    allow(needs('manage', 'namespace')),
    async (request, reply) => {
      const { name, 'metadata-location': location } = bodyOf(request, body);
      const file = await register(context, { namespace: namespaceOf(request), name }, location);
      return sendJson(reply, loadResult(file));
    },
  );
};
