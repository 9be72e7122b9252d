import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { checked, tableOf } from '../http/request.ts';
import type { Route } from './route.ts';

const query = z.object({ purgeRequested: z.enum(['true', 'false', 'True', 'False']).default('false') });

/** DELETE /v1/namespaces/{namespace}/tables/{table}: takes the table out of the catalog; its files stay. */
export const dropTable: Route = (app, { store }) => {
  app.delete('/v1/namespaces/:namespace/tables/:table', async (request, reply) => {
    const { purgeRequested } = checked(query, request.query, 'query');
    if (purgeRequested.toLowerCase() === 'true') {
      throw new LakeError('unsupported', 'This catalog does not delete the files of a table it drops', {
        hint: 'Nothing was dropped: drop without purge; the files stay until they are removed as orphans.',
      });
    }
    await store.dropTable(tableOf(request));
    return reply.code(204).send();
  });
};
