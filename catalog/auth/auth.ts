import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { findPrincipalById, findSecrets } from '../store/access-principals.ts';
import type { AccessStore } from '../store/access-store.ts';
import { Audit } from './audit.ts';
import { type Caller, LOCAL, signedIn } from './caller.ts';
import { FailedSignIns } from './failed-sign-ins.ts';
import { Oidc, type OidcSettings } from './oidc.ts';
import { SecretCheck } from './secrets.ts';
import { claimsToBeOwn, Tokens } from './tokens.ts';
import { unauthorized } from './unauthorized.ts';

/** How callers are known, if they have to be. */
export interface AuthSettings {
  /** Of the catalog's own tokens; default: one hour. */
  readonly tokenLifetimeMs?: number;
  /** How long lines of the audit log are kept; default: 400 days. */
  readonly auditKeepMs?: number;
  readonly oidc?: OidcSettings;
}

const TOKEN_LIFETIME_MS = 3_600_000;
const AUDIT_KEPT_MS = 400 * 24 * 3_600_000;
/** Roles of thousands of groups make long tokens; servers take headers of some tens of KiB. */
const MAX_TOKEN_LENGTH = 32 * 1024;

/** Says who sent a request. Without settings everybody is the local operator, who may do everything. */
export class Auth {
  readonly access: AccessStore;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly isOn: boolean;
  readonly #clock: Clock;
  readonly #oidc: Oidc | null;
  readonly #secrets = new SecretCheck();
  readonly #failed = new FailedSignIns();

  constructor(access: AccessStore, clock: Clock, settings: AuthSettings | null) {
    this.access = access;
    this.#clock = clock;
    this.isOn = settings !== null;
    this.tokens = new Tokens({ access, clock, lifetimeMs: settings?.tokenLifetimeMs ?? TOKEN_LIFETIME_MS });
    this.audit = new Audit(access, clock, settings?.auditKeepMs ?? AUDIT_KEPT_MS);
    this.#oidc = settings?.oidc === undefined ? null : new Oidc(settings.oidc, clock);
  }

  /** Who sent the request. Errors: `forbidden` (401) without a token that is good; `unavailable` if that cannot be told. */
  async callerOf(request: FastifyRequest): Promise<Caller> {
    if (!this.isOn) return LOCAL;
    const token = bearerToken(request);
    if (token === null) throw unauthorized('This catalog asks for a token', 'none');
    if (claimsToBeOwn(token)) return this.#ownCaller(token);
    if (this.#oidc === null) throw unauthorized('The token is none of this catalog');
    const { subject, roles } = await this.#oidc.verify(token);
    return signedIn(this.access, `oidc:${subject}`, { principalId: null, claims: roles, subject });
  }

  /**
   * A token for a service account that shows its secret.
   * Errors: `forbidden` (401) for a wrong secret, a client that nobody knows or that is switched off: which one is not told;
   * `unavailable` (429) after too many wrong ones.
   */
  async signIn(
    client: string,
    secret: string,
    address: string,
  ): Promise<{ readonly token: string; readonly lifetimeMs: number }> {
    const nowMs = this.#clock.now();
    const known = await findSecrets(this.access.sql, client, nowMs);
    const waitMs = this.#failed.waitMs(client, address, nowMs);
    // Who was right before is not kept out by others that guess from the same address.
    if (waitMs > 0 && !this.#secrets.knows(secret, known?.secrets ?? [])) throw tooManyFailures(waitMs);
    const isRight = await this.#secrets.matches(secret, known?.secrets ?? []);
    if (known === null || !isRight || known.principal.disabledAtMs !== null) {
      this.#failed.failed(client, address, nowMs);
      throw unauthorized('The client id or its secret is wrong');
    }
    return this.tokens.issue(known.principal.id);
  }

  async #ownCaller(token: string): Promise<Caller> {
    const { principalId } = await this.tokens.verify(token);
    const principal = await findPrincipalById(this.access.sql, principalId);
    if (principal === null || principal.disabledAtMs !== null) {
      throw unauthorized('The token is of a principal that was switched off or deleted');
    }
    return signedIn(this.access, principal.name, { principalId, claims: [], subject: null });
  }
}

function bearerToken(request: FastifyRequest): string | null {
  const { authorization } = request.headers;
  if (authorization === undefined || authorization === '') return null;
  const [, token] = /^bearer +([\w.~+/=-]+) *$/i.exec(authorization) ?? [];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
    throw unauthorized('The Authorization header is no bearer token');
  }
  return token;
}

function tooManyFailures(waitMs: number): LakeError {
  const seconds = Math.ceil(waitMs / 1000);
  return new LakeError('unavailable', 'Too many wrong secrets of this client from this address', {
    hint: `Nothing was done: try again in ${seconds} s.`,
    context: { type: 'TooManyRequestsException', retryAfterSeconds: seconds },
  });
}
