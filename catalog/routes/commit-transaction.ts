import * as z from 'zod';
import { allow, needsOf } from '../auth/access.ts';
import { COMMIT_NEEDS, needsOfCommit } from '../auth/commit-needs.ts';
import { bodyOf, identifierSchema } from '../http/request.ts';
import { commitShape } from '../http/update-schemas.ts';
import { commitTables } from '../service/commit.ts';
import type { Route } from './route.ts';

const change = commitShape.extend({ identifier: identifierSchema });
const body = z.object({ 'table-changes': z.array(change).min(1) });

const access = needsOf(`for every table: ${COMMIT_NEEDS}`, (request) =>
  bodyOf(request, body)['table-changes'].flatMap((part) =>
    needsOfCommit({ table: part.identifier, requirements: part.requirements, updates: part.updates }),
  ),
);

/** POST /v1/transactions/commit: all tables or none. */
export const commitTransaction: Route = (app, context) => {
  app.post('/v1/transactions/commit', allow(access), async (request, reply) => {
    const changes = bodyOf(request, body)['table-changes'];
    const parts = changes.map(({ identifier, requirements, updates }) => ({
      table: identifier,
      requirements,
      updates,
    }));
    await commitTables(context, parts);
    return reply.code(204).send();
  });
};
