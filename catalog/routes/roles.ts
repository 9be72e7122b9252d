import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { needs } from '../auth/access.ts';
import { requireNoMoreThan } from '../auth/no-more-than.ts';
import { bodyOf, checked, extensionPageOf, tokenOf } from '../http/request.ts';
import { grantedTo } from '../store/access-grants.ts';
import * as roles from '../store/access-roles.ts';
import { accountName, named } from './principals.ts';
import type { Route } from './route.ts';

const created = z.strictObject({ name: accountName });
const params = z.object({ name: z.string().min(1) });
const member = z.strictObject({ kind: z.enum(roles.MEMBER_KINDS), name: z.string().min(1).max(1024) });

/** /lake/v1/roles: who is in which role. */
export const roleRoutes: Route = (app, { auth, clock }) => {
  const { access } = auth;
  const manage = { config: { access: needs('manage', 'catalog'), auditedAs: named('role') } };
  const requireNoMore = async (request: FastifyRequest, name: string) => {
    const { id } = await roles.requireRole(access.sql, name);
    await requireNoMoreThan(request, await grantedTo(access.sql, [id]));
  };
  app.get('/lake/v1/roles', manage, async (request) => {
    const page = await roles.listRoles(access.sql, extensionPageOf(request));
    const listed = [];
    for (const { id, name, createdAtMs } of page.rows) {
      listed.push({ name, 'created-at-ms': createdAtMs, members: await roles.membersOf(access.sql, id) });
    }
    return { roles: listed, ...tokenOf(page.next) };
  });
  app.post('/lake/v1/roles', manage, async (request) => {
    const { name } = bodyOf(request, created);
    const role = { id: clock.uuid(), name, createdAtMs: clock.now() };
    await access.change((sql) => roles.createRole(sql, role));
    return { name, 'created-at-ms': role.createdAtMs, members: [] };
  });
  app.delete('/lake/v1/roles/:name', manage, async (request, reply) => {
    const { name } = checked(params, request.params, 'path');
    await requireNoMore(request, name);
    await access.change((sql) => roles.deleteRole(sql, name));
    return reply.code(204).send();
  });
  app.post('/lake/v1/roles/:name/members', manage, async (request, reply) => {
    const { name } = checked(params, request.params, 'path');
    const added = bodyOf(request, member);
    await requireNoMore(request, name);
    await access.change((sql) => roles.addMember(sql, name, added));
    return reply.code(204).send();
  });
  app.post('/lake/v1/roles/:name/members/remove', manage, async (request, reply) => {
    const { name } = checked(params, request.params, 'path');
    const removed = bodyOf(request, member);
    await requireNoMore(request, name);
    await access.change((sql) => roles.removeMember(sql, name, removed));
    return reply.code(204).send();
  });
};
