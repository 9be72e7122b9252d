import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { CATALOG, needs } from '../auth/access.ts';
import { ANONYMOUS, callerOf, LOCAL } from '../auth/caller.ts';
import { requireNoMoreThan } from '../auth/no-more-than.ts';
import { newSecret } from '../auth/secrets.ts';
import { bodyOf, checked, extensionPageOf, tokenOf } from '../http/request.ts';
import { addGrant, heldBy } from '../store/access-grants.ts';
import * as principals from '../store/access-principals.ts';
import type { Route } from './route.ts';

export const accountName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/, 'letters, digits and . _ @ -, at most 128');
/** What the audit log calls those who are no accounts. */
const OTHERS: readonly string[] = [LOCAL.name, ANONYMOUS.name];
const ownName = accountName.refine(
  (name) => !OTHERS.includes(name),
  'the audit log means others by this name',
);
const created = z.strictObject({ name: ownName, admin: z.boolean().default(false) });
const rotated = z.strictObject({
  'overlap-ms': z
    .number()
    .int()
    .min(0)
    .max(366 * 24 * 3_600_000),
});
const changed = z.strictObject({ disabled: z.boolean() });
const params = z.object({ name: z.string().min(1) });
const memberBody = z.object({ kind: z.string(), name: z.string() });

/** For the audit log: what the path or the body names. */
export function named(kind: 'principal' | 'role'): (request: FastifyRequest) => string {
  return (request) => {
    const path = params.safeParse(request.params).data;
    const who = path ?? params.safeParse(request.body).data;
    const other = path === undefined ? undefined : memberBody.safeParse(request.body).data;
    return `${kind} ${who?.name ?? ''}${other === undefined ? '' : `: ${other.kind} ${other.name}`}`;
  };
}

function toJson(principal: principals.Principal) {
  return {
    name: principal.name,
    'client-id': principal.name,
    'created-at-ms': principal.createdAtMs,
    'disabled-at-ms': principal.disabledAtMs,
  };
}

/** /lake/v1/principals: service accounts. A secret stands in the one answer that makes it, and nowhere else. */
export const principalRoutes: Route = (app, { auth, clock }) => {
  const { access } = auth;
  const manage = { config: { access: needs('manage', 'catalog'), auditedAs: named('principal') } };
  const rotatesKey = { config: { access: needs('manage', 'catalog'), auditedAs: () => 'signing keys' } };
  const requireNoMore = async (request: FastifyRequest, name: string) => {
    const { id: principalId } = await principals.requirePrincipal(access.sql, name);
    await requireNoMoreThan(request, await heldBy(access.sql, { principalId, claims: [], subject: null }));
  };
  app.get('/lake/v1/principals', manage, async (request) => {
    const page = await principals.listPrincipals(access.sql, extensionPageOf(request));
    return { principals: page.rows.map(toJson), ...tokenOf(page.next) };
  });
  app.post('/lake/v1/principals', manage, async (request, reply) => {
    const { name, admin } = bodyOf(request, created);
    const caller = callerOf(request);
    if (admin && !(await caller.may(['steward'], CATALOG))) {
      throw new LakeError('forbidden', 'Nobody grants what they do not hold: an admin is a steward too', {
        hint: 'Nothing was done: create it without admin rights, or ask a steward of the catalog.',
      });
    }
    const secret = await newSecret();
    const nowMs = clock.now();
    const principal = { id: clock.uuid(), name, createdAtMs: nowMs, disabledAtMs: null };
    await access.change(async (sql) => {
      await principals.createPrincipal(sql, principal, { ...secret, createdAtMs: nowMs, expiresAtMs: null });
      for (const privilege of admin ? (['manage', 'steward'] as const) : []) {
        const grantee = { kind: 'principal', name } as const;
        await addGrant(sql, { grantee, privilege, on: CATALOG, by: caller.name, atMs: nowMs });
      }
    });
    reply.header('cache-control', 'no-store');
    return { ...toJson(principal), secret: secret.text };
  });
  app.post('/lake/v1/principals/:name/rotate', manage, async (request, reply) => {
    const { 'overlap-ms': overlapMs } = bodyOf(request, rotated);
    const { name } = checked(params, request.params, 'path');
    await requireNoMore(request, name);
    const secret = await newSecret();
    const nowMs = clock.now();
    const added = { ...secret, createdAtMs: nowMs, expiresAtMs: null };
    const principal = await access.change((sql) =>
      principals.rotateSecret(sql, name, added, nowMs + overlapMs),
    );
    reply.header('cache-control', 'no-store');
    return { ...toJson(principal), secret: secret.text, 'old-secret-until-ms': nowMs + overlapMs };
  });
  app.post('/lake/v1/principals/:name/state', manage, async (request) => {
    const { disabled } = bodyOf(request, changed);
    const { name } = checked(params, request.params, 'path');
    await requireNoMore(request, name);
    return toJson(
      await access.change((sql) => principals.setDisabled(sql, name, disabled ? clock.now() : null)),
    );
  });
  app.delete('/lake/v1/principals/:name', manage, async (request, reply) => {
    const { name } = checked(params, request.params, 'path');
    await requireNoMore(request, name);
    await access.change((sql) => principals.deletePrincipal(sql, name));
    return reply.code(204).send();
  });
  app.post('/lake/v1/signing-keys/rotate', rotatesKey, async (request, reply) => {
    const { revoke } = bodyOf(request, z.strictObject({ revoke: z.boolean() }));
    await auth.tokens.rotateKey(revoke);
    return reply.code(204).send();
  });
};
