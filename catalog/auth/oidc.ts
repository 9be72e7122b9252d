import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { unauthorized } from './unauthorized.ts';

/** An OpenID Connect issuer whose tokens are believed. */
export interface OidcSettings {
  /** As it stands in `iss`, to the letter. */
  readonly issuer: string;
  /** What `aud` has to name. */
  readonly audience: string;
  /** Where the issuer's keys are; asked of its discovery document otherwise. */
  readonly jwksUri?: string;
  /** Default: `sub`. */
  readonly subjectClaim?: string;
  /** Whose values name roles: a claim, or a path into nested ones (`realm_access.roles`). */
  readonly rolesClaim?: string;
}

export interface OidcToken {
  readonly subject: string;
  readonly roles: readonly string[];
}

/** Signatures by a key pair alone: with `none` or a shared secret (HS256, …) anybody could make tokens of a public key. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const SKEW_S = 60;
const TIMEOUT_MS = 5000;
/** Keys are fetched again for an unknown key id, but no more often than this. */
const COOLDOWN_MS = 30_000;
const KEYS_KEPT_MS = 10 * 60_000;
/** More are no list of a person's roles. */
const MAX_ROLES = 1000;

const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });

/** Checks tokens of an OpenID Connect issuer. Its keys are kept for minutes, and fetched anew when it changes them. */
export class Oidc {
  readonly #settings: OidcSettings;
  readonly #clock: Clock;
  readonly #cooldownMs: number;
  #keys: Promise<JWTVerifyGetKey> | null = null;

  constructor(settings: OidcSettings, clock: Clock, cooldownMs: number = COOLDOWN_MS) {
    this.#settings = settings;
    this.#clock = clock;
    this.#cooldownMs = cooldownMs;
  }

  /** Errors: `forbidden` (401) for a token that is not to be believed, `unavailable` if the issuer's keys cannot be had. */
  async verify(token: string): Promise<OidcToken> {
    const { issuer, audience, subjectClaim = 'sub', rolesClaim } = this.#settings;
    const keys = await this.#issuersKeys();
    let payload: JWTPayload;
    try {
      const verified = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        issuer,
        audience,
        clockTolerance: SKEW_S,
        requiredClaims: ['exp', subjectClaim],
        currentDate: new Date(this.#clock.now()),
      });
      payload = verified.payload;
    } catch (error) {
      throw refusal(error, issuer);
    }
    const subject = payload[subjectClaim];
    if (typeof subject !== 'string' || subject === '') {
      throw unauthorized(`The token's claim ${subjectClaim} names nobody`);
    }
    return { subject, roles: rolesClaim === undefined ? [] : valuesOf(payload, rolesClaim) };
  }

  async #issuersKeys(): Promise<JWTVerifyGetKey> {
    this.#keys ??= this.#findKeys();
    try {
      return await this.#keys;
    } catch (error) {
      this.#keys = null;
      throw error;
    }
  }

  async #findKeys(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUri } = this.#settings;
    const url = new URL(jwksUri ?? (await discoveredKeys(issuer)));
    return createRemoteJWKSet(url, {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: this.#cooldownMs,
      cacheMaxAge: KEYS_KEPT_MS,
    });
  }
}

/** `jwks_uri` of the issuer's discovery document (OpenID Connect Discovery 1.0, section 4). */
async function discoveredKeys(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let document: z.infer<typeof discovery>;
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`it answers with status ${answer.status}`);
    document = discovery.parse(await answer.json());
  } catch (error) {
    throw noKeys(issuer, error);
  }
  if (document.issuer === issuer) return document.jwks_uri;
  throw noKeys(issuer, new Error(`its discovery document is of issuer ${document.issuer}`));
}

function refusal(error: unknown, issuer: string): LakeError {
  if (error instanceof LakeError) return error;
  const isAboutToken = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout);
  const isAboutKeys =
    error instanceof errors.JOSEError &&
    (error.code === 'ERR_JOSE_GENERIC' || error.code === 'ERR_JWKS_INVALID');
  if (isAboutToken && !isAboutKeys) {
    return unauthorized(
      'The token is expired, not of the issuer that is trusted here, or not valid',
      'invalid_token',
      error,
    );
  }
  if (error instanceof TypeError && !('cause' in error && error.cause !== undefined)) {
    return unauthorized('The token is not valid', 'invalid_token', error);
  }
  return noKeys(issuer, error);
}

function noKeys(issuer: string, cause: unknown): LakeError {
  return new LakeError('unavailable', `The keys of the OIDC issuer ${issuer} cannot be had`, {
    hint: 'Nothing was done: try again. If it stays so, look at catalog.serve.auth.oidc in lake.yaml.',
    cause,
  });
}

/** Texts of a claim that is a list or words in one text; by its name, else by the path that its name is. */
function valuesOf(payload: JWTPayload, claim: string): readonly string[] {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : memberAt(payload, claim.split('.'));
  const list: readonly unknown[] =
    typeof value === 'string' ? value.split(/\s+/) : Array.isArray(value) ? value : [];
  return list.filter((one): one is string => typeof one === 'string' && one !== '').slice(0, MAX_ROLES);
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? Reflect.get(inner, name)
        : undefined,
    value,
  );
}
