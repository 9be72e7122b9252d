import { allow, needs } from '../auth/access.ts';
import { tableOf } from '../http/request.ts';
import { unregisterTable as unregister } from '../service/drop-table.ts';
import { type Route, sendJson } from './route.ts';

/** POST /v1/namespaces/{namespace}/tables/{table}/unregister: hands the table over, with all of its files. */
export const unregisterTable: Route = (app, context) => {
  app.post(
    '/v1/namespaces/:namespace/tables/:table/unregister',
    allow(needs('manage', 'table')),
    async (request, reply) => {
      const { location, json } = await unregister(context, tableOf(request));
      return sendJson(
        reply,
        `{"metadata-location":${JSON.stringify(location)},"metadata":${Buffer.from(json)}}`,
      );
    },
  );
};
