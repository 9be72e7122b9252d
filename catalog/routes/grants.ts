import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { allow, CATALOG, needsOf, PRIVILEGES, type Securable } from '../auth/access.ts';
import { securableText } from '../auth/audit.ts';
import { callerOf } from '../auth/caller.ts';
import type { GrantScope } from '../auth/decide.ts';
import {
  bodyOf,
  checked,
  extensionPageOf,
  identifierSchema,
  levelsSchema,
  tokenOf,
} from '../http/request.ts';
import * as grants from '../store/access-grants.ts';
import type { Route } from './route.ts';

const grantee = z.strictObject({ kind: z.enum(['principal', 'role']), name: z.string().min(1) });
const object = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('catalog') }),
  z.strictObject({ kind: z.literal('namespace'), levels: levelsSchema }),
  z.strictObject({ kind: z.enum(['table', 'view']), name: identifierSchema }),
]);
const grant = z.strictObject({ grantee, privilege: z.enum(PRIVILEGES), on: object });
const filter = z.object({
  'grantee-kind': z.enum(['principal', 'role']).optional(),
  'grantee-name': z.string().min(1).optional(),
  on: z
    .string()
    .transform((text, context) => {
      try {
        return object.parse(JSON.parse(text));
      } catch {
        context.addIssue('expected JSON as in POST /lake/v1/grants');
        return z.NEVER;
      }
    })
    .optional(),
});

/** Who manages something says who else may do what with it. */
const changesGrant = needsOf('manage on what is granted, and the privilege itself', (request) => {
  const { on } = bodyOf(request, grant);
  return [{ anyOf: ['manage'], on }];
});

const listsGrants = needsOf('manage on the object `on`, without it on the catalog', (request) => {
  const on: Securable = checked(filter, request.query, 'query').on ?? CATALOG;
  return [{ anyOf: ['manage'], on }];
});

function toJson({ grantee: who, privilege, scope, grantedBy, grantedAtMs }: grants.Grant) {
  return {
    grantee: who,
    privilege,
    on: scopeJson(scope),
    'granted-by': grantedBy,
    'granted-at-ms': grantedAtMs,
  };
}

/** A dropped table has no name any more. */
function scopeJson(scope: GrantScope) {
  if (scope.kind === 'catalog' || scope.kind === 'namespace') return scope;
  const { kind, uuid, at } = scope;
  return { kind, uuid, ...(at === null ? {} : { name: { namespace: at.namespace, name: at.name } }) };
}

/** /lake/v1/grants: who may do what. Nobody grants what they do not hold themselves. */
export const grantRoutes: Route = (app, { auth, clock }) => {
  const { access } = auth;
  const change = { config: { access: changesGrant, auditedAs: grantText } };
  app.get('/lake/v1/grants', allow(listsGrants), async (request) => {
    const query = checked(filter, request.query, 'query');
    const { 'grantee-kind': kind, 'grantee-name': name, on } = query;
    const wanted = {
      ...(kind === undefined || name === undefined ? {} : { grantee: { kind, name } }),
      ...(on === undefined ? {} : { on }),
    };
    const page = await grants.listGrants(access.sql, wanted, extensionPageOf(request));
    return { grants: page.rows.map(toJson), ...tokenOf(page.next) };
  });
  app.post('/lake/v1/grants', change, async (request, reply) => {
    const wanted = bodyOf(request, grant);
    await requireHeld(request, wanted);
    const by = callerOf(request).name;
    await access.change((sql) => grants.addGrant(sql, { ...wanted, by, atMs: clock.now() }));
    return reply.code(204).send();
  });
  app.post('/lake/v1/grants/revoke', change, async (request, reply) => {
    const wanted = bodyOf(request, grant);
    await requireHeld(request, wanted);
    await access.change((sql) => grants.removeGrant(sql, wanted));
    return reply.code(204).send();
  });
};

function grantText(request: FastifyRequest): string {
  const { data } = grant.safeParse(request.body);
  if (data === undefined) return '';
  return `${data.privilege} on ${securableText(data.on)}, ${data.grantee.kind} ${data.grantee.name}`;
}

async function requireHeld(request: FastifyRequest, { privilege, on }: z.infer<typeof grant>): Promise<void> {
  if (await callerOf(request).may([privilege], on)) return;
  throw new LakeError('forbidden', `Nobody grants or takes away what they do not hold: ${privilege}`, {
    hint: 'Nothing was done. Stewards are made by stewards: managing something does not include that.',
  });
}
