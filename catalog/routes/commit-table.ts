import { LakeError } from '../../src/errors.ts';
import { sendLoaded } from '../http/loaded.ts';
import { bodyOf, tableOf } from '../http/request.ts';
import { commitShape } from '../http/update-schemas.ts';
import { commitTables } from '../service/commit.ts';
import type { Route } from './route.ts';

/** POST /v1/namespaces/{namespace}/tables/{table}: commits updates, or a staged create. */
export const commitTable: Route = (app, context) => {
  app.post('/v1/namespaces/:namespace/tables/:table', async (request, reply) => {
    const { requirements, updates } = bodyOf(request, commitShape);
    const [file] = await commitTables(context, [{ table: tableOf(request), requirements, updates }]);
    if (file === undefined) throw new LakeError('internal', 'a commit of one table gave no metadata');
    return sendLoaded(reply, file);
  });
};
