import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { callerOf } from '../auth/caller.ts';
import { bodyOf, tableOf } from '../http/request.ts';
import { currentFile } from '../service/load-table.ts';
import { signForTable } from '../vending/sign-for-table.ts';
import type { Route } from './route.ts';

const METHODS = ['PUT', 'GET', 'HEAD', 'POST', 'DELETE', 'PATCH', 'OPTIONS'] as const;

const body = z.object({
  region: z.string().max(64),
  uri: z.string().min(1).max(16_384),
  method: z.enum(METHODS),
  headers: z.record(z.string(), z.array(z.string())),
  body: z.string().nullish(),
  provider: z.string().nullish(),
});

/** POST /v1/namespaces/{namespace}/tables/{table}/sign: signs a request to S3 (REST spec: `signRequest`); not there where it is not offered. */
export const signTableRequest: Route = (app, context) => {
  if (!context.vending.signs) return;
  app.post(
    '/v1/namespaces/:namespace/tables/:table/sign',
    allow(needs('read', 'table')),
    async (request, reply) => {
      const { headers, body: content, ...wanted } = bodyOf(request, body);
      const table = tableOf(request);
      const { metadata } = await currentFile(context, table);
      const joined = Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values.join(',')]);
      const signed = await signForTable(
        context,
        { table, metadata },
        {
          ...wanted,
          provider: wanted.provider ?? 's3',
          headers: Object.fromEntries(joined),
          ...(typeof content === 'string' ? { body: content } : {}),
          mayWrite: () =>
            callerOf(request).require({ anyOf: ['write', 'maintain'], on: { kind: 'table', name: table } }),
        },
      );
      // What reads may be signed once for many; what writes is signed for once.
      const isKept = wanted.method === 'GET' || wanted.method === 'HEAD';
      return reply.header('cache-control', isKept ? 'private' : 'no-cache').send(signed);
    },
  );
};
