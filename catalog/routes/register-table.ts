import * as z from 'zod';
import { sendLoaded } from '../http/loaded.ts';
import { bodyOf, namespaceOf } from '../http/request.ts';
import { registerTable as register } from '../service/register-table.ts';
import type { Route } from './route.ts';

const body = z.object({
  name: z.string().min(1),
  'metadata-location': z.string().min(1),
  overwrite: z.boolean().nullish(),
});

/** POST /v1/namespaces/{namespace}/register: gives a name to a table whose metadata file exists. */
export const registerTable: Route = (app, context) => {
  app.post('/v1/namespaces/:namespace/register', async (request, reply) => {
    const { name, 'metadata-location': metadataLocation, overwrite } = bodyOf(request, body);
    const table = { namespace: namespaceOf(request), name };
    const file = await register(context, table, { metadataLocation, overwrite: overwrite === true });
    return sendLoaded(reply, file);
  });
};
