import { LakeError } from '../../src/errors.ts';
import { allow, needsOf } from '../auth/access.ts';
import { COMMIT_NEEDS, needsOfCommit } from '../auth/commit-needs.ts';
import { sendLoaded } from '../http/loaded.ts';
import { bodyOf, tableOf } from '../http/request.ts';
import { commitShape } from '../http/update-schemas.ts';
import { commitTables } from '../service/commit.ts';
import type { Route } from './route.ts';

const access = needsOf(COMMIT_NEEDS, (request) =>
  needsOfCommit({ table: tableOf(request), ...bodyOf(request, commitShape) }),
);

/** POST /v1/namespaces/{namespace}/tables/{table}: commits updates, or a staged create. */
export const commitTable: Route = (app, context) => {
  app.post('/v1/namespaces/:namespace/tables/:table', allow(access), async (request, reply) => {
    const { requirements, updates } = bodyOf(request, commitShape);
    const [file] = await commitTables(context, [{ table: tableOf(request), requirements, updates }]);
    if (file === undefined) throw new LakeError('internal', 'a commit of one table gave no metadata');
    return sendLoaded(reply, file);
  });
};
