import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { accessIfAny } from '../http/delegated-access.ts';
import { notKept, sendLoaded } from '../http/loaded.ts';
import { bodyOf, nameSchema, namespaceOf, propertiesSchema } from '../http/request.ts';
import { orderShape, schemaShape, specShape } from '../http/structure-shapes.ts';
import { createTable as create, refuseNamespaceFolder, stageTable } from '../service/create-table.ts';
import { stagedResult } from '../service/load-table.ts';
import { type Route, sendJson } from './route.ts';

const body = z.object({
  name: nameSchema,
  location: z.string().min(1).nullish(),
  schema: schemaShape,
  'partition-spec': specShape.nullish(),
  'write-order': orderShape.nullish(),
  'stage-create': z.boolean().nullish(),
  properties: propertiesSchema.nullish(),
});

/** POST /v1/namespaces/{namespace}/tables: creates a table, or stages its creation. */
export const createTable: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/tables',
    allow(needs('manage', 'namespace')),
    async (request, reply) => {
      const wanted = bodyOf(request, body);
      const table = { namespace: namespaceOf(request), name: wanted.name };
      const { location, 'partition-spec': spec, 'write-order': sortOrder } = wanted;
      const parts = {
        schema: wanted.schema,
        properties: wanted.properties ?? {},
        ...(spec ? { spec } : {}),
        ...(sortOrder ? { sortOrder } : {}),
        ...(location ? { location } : {}),
      };
      if (wanted['stage-create'] === true) {
        if (location) await refuseNamespaceFolder(context, location);
        const { metadata } = await stageTable(context, table, parts);
        const access = await accessIfAny(context, request, { table, metadata });
        return sendJson(notKept(reply, access), stagedResult(metadata, access));
      }
      const file = await create(context, table, parts);
      const access = await accessIfAny(context, request, { table, metadata: file.metadata });
      return sendLoaded(reply, file, { access });
    },
  );
};
