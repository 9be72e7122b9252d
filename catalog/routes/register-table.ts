import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { accessIfAny } from '../http/delegated-access.ts';
import { sendLoaded } from '../http/loaded.ts';
import { bodyOf, nameSchema, namespaceOf } from '../http/request.ts';
import { registerTable as register } from '../service/register-table.ts';
import type { Route } from './route.ts';

const body = z.object({
  name: nameSchema,
  'metadata-location': z.string().min(1),
  overwrite: z.boolean().nullish(),
});

/** POST /v1/namespaces/{namespace}/register: gives a name to a table whose metadata file exists. */
export const registerTable: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/register',
    allow(needs('manage', 'namespace')),
    async (request, reply) => {
      const { name, 'metadata-location': metadataLocation, overwrite } = bodyOf(request, body);
      const table = { namespace: namespaceOf(request), name };
      const file = await register(context, table, {
        metadataLocation,
        overwrite: overwrite === true,
        claimUuid: (uuid) =>
          callerOf(request).require({ anyOf: ['manage'], on: { kind: 'table-uuid', uuid }, orAbsent: true }),
      });
      const access = await accessIfAny(context, request, { table, metadata: file.metadata });
      return sendLoaded(reply, file, { access });
    },
  );
};
