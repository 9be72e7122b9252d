import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LakeError } from '../../src/errors.ts';
import { errorBody } from '../http/error-response.ts';
import { runAudited } from '../store/access-audit.ts';
import type { Access, Right } from './access.ts';
import type { Auth } from './auth.ts';
import { ANONYMOUS, callerOf, setCaller } from './caller.ts';
import { challengeOf } from './unauthorized.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its changes are written to the audit log also where auth is off, with this for what they are on. */
    auditedAs?: (request: FastifyRequest) => string;
  }
}

/** From now on a route that does not declare its access (see `access.ts`) makes the app fail before it answers anything. Errors: `internal`. */
function requireDeclaredAccess(app: FastifyInstance): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.access !== undefined) return;
    throw new LakeError('internal', `Route ${[method].flat().join()} ${url} does not say who may use it`, {
      hint: "Declare it: allow(needs('read', 'table')) and the like, see catalog/auth/access.ts.",
    });
  });
}

/** Who is let through to the routes that are added from now on: asks who they are before the body is read. */
export function guardRoutes(app: FastifyInstance, auth: Auth): void {
  requireDeclaredAccess(app);
  app.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request);
    setCaller(request, ANONYMOUS);
    if (access === null || access === 'public') return;
    try {
      setCaller(request, await auth.callerOf(request));
    } catch (error) {
      await refuse(auth, request, reply, error);
    }
  });
}

/**
 * Checks all that the route needs, once its body is parsed.
 * Errors: `forbidden` (403), `not-found` for what is hidden from the caller, `invalid-argument` for a body that does not say what it is on.
 */
export async function authorize(auth: Auth, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const access = accessOf(request);
  if (!auth.isOn || access === null || typeof access === 'string') return;
  const needs = access.of(request);
  const caller = callerOf(request);
  try {
    for (const need of needs) await caller.require(need);
  } catch (error) {
    await refuse(auth, request, reply, error);
  }
}

/** The handlers of routes that change something run so that the change writes its line to the audit log. */
export function auditChanges(app: FastifyInstance, auth: Auth): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { auditedAs } = request.routeOptions.config;
    if (!(auth.isOn || auditedAs !== undefined) || !changes(request)) {
      done();
      return;
    }
    runAudited(
      () => auth.audit.change(request, callerOf(request)),
      () => done(),
    );
  });
}

const READS: readonly Right[] = ['see', 'read'];

/** A report of a scan, though posted, changes nothing that counts. */
function changes(request: FastifyRequest): boolean {
  const access = accessOf(request);
  if (request.method !== 'POST' && request.method !== 'DELETE') return false;
  if (access === null || access === 'public') return false;
  if (access === 'authenticated') return true;
  return !isOnlyRead(access, request);
}

function isOnlyRead(access: Exclude<Access, string>, request: FastifyRequest): boolean {
  try {
    return access.of(request).every(({ anyOf }) => anyOf.every((right) => READS.includes(right)));
  } catch {
    // The handler refuses what is off.
    return false;
  }
}

/** Null for requests to no route. */
function accessOf(request: FastifyRequest): Access | null {
  return request.is404 ? null : (request.routeOptions.config.access ?? null);
}

/** Notes a refusal; throws it on. */
async function refuse(
  auth: Auth,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): Promise<never> {
  const challenge = challengeOf(error);
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  const status = errorBody(error).error.code;
  if (status < 500 && status !== 400) {
    const note = error instanceof Error ? error.message : String(error);
    const outcome = status === 401 ? 'failed' : 'refused';
    await auth.audit.refused(request, callerOf(request), { status, note, outcome });
  }
  throw error;
}
