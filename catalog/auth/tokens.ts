import {
  type CryptoKey,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWTHeaderParameters,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { addSigningKey, listSigningKeys, type SigningKey } from '../store/access-keys.ts';
import type { AccessStore } from '../store/access-store.ts';
import { unauthorized } from './unauthorized.ts';

/** Issuer and audience of the catalog's own tokens. */
const ISSUER = 'urn:lakewarden:catalog';
const ALGORITHM = 'EdDSA';
const KEY_AGE_MS = 30 * 24 * 3_600_000;
/** How long a server may go on with keys that another one has revoked. */
const KEYS_KEPT_MS = 10_000;
/** Servers' clocks differ. */
const SKEW_MS = 5 * 60_000;

/** Who may sign what in the catalog's own tokens. */
export interface OwnToken {
  readonly principalId: string;
}

interface LoadedKeys {
  readonly newest: SigningKey | null;
  readonly byId: ReadonlyMap<string, CryptoKey>;
  readonly atMs: number;
}

/** The catalog's own tokens: short-lived JWTs, signed by a key of the database that all of its servers share. */
export class Tokens {
  readonly #access: AccessStore;
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  #keys: LoadedKeys | null = null;

  constructor(parts: { readonly access: AccessStore; readonly clock: Clock; readonly lifetimeMs: number }) {
    this.#access = parts.access;
    this.#clock = parts.clock;
    this.#lifetimeMs = parts.lifetimeMs;
  }

  /** A token for the principal. A key that is old, or missing, is made anew first. */
  async issue(principalId: string): Promise<{ readonly token: string; readonly lifetimeMs: number }> {
    const key = await this.#signingKey();
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: ALGORITHM, kid: key.id, typ: 'at+jwt' })
      .setIssuer(ISSUER)
      .setAudience(ISSUER)
      .setSubject(principalId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + Math.floor(this.#lifetimeMs / 1000))
      .sign(await importPrivate(key));
    return { token, lifetimeMs: this.#lifetimeMs };
  }

  /** Errors: `forbidden` (401) for one that is expired, foreign or forged. */
  async verify(token: string): Promise<OwnToken> {
    try {
      const { payload } = await jwtVerify(token, (header) => this.#keyOf(header), {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: ISSUER,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'iat'],
        currentDate: new Date(this.#clock.now()),
      });
      return { principalId: String(payload.sub) };
    } catch (error) {
      if (error instanceof LakeError) throw error;
      throw unauthorized('The token is expired or not valid', 'invalid_token', error);
    }
  }

  /** Makes a new key. With `revoke` the tokens of all others end, within seconds. */
  async rotateKey(revoke: boolean): Promise<void> {
    const nowMs = this.#clock.now();
    await this.#addKey({
      unlessSinceMs: Number.MAX_SAFE_INTEGER,
      forgetBeforeMs: revoke ? nowMs + SKEW_MS : 0,
    });
  }

  async #signingKey(): Promise<SigningKey> {
    const nowMs = this.#clock.now();
    const { newest } = await this.#loaded(KEYS_KEPT_MS);
    if (newest !== null && newest.createdAtMs > nowMs - KEY_AGE_MS) return newest;
    const unlessSinceMs = nowMs - KEY_AGE_MS + 1;
    await this.#addKey({ unlessSinceMs, forgetBeforeMs: unlessSinceMs - this.#lifetimeMs - SKEW_MS });
    const { newest: made } = await this.#loaded(0);
    if (made === null) throw new LakeError('internal', 'a key that was just made is not there');
    return made;
  }

  async #addKey(when: { readonly unlessSinceMs: number; readonly forgetBeforeMs: number }): Promise<void> {
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const key = {
      id: this.#clock.uuid(),
      privateJwk: JSON.stringify(await exportJWK(privateKey)),
      createdAtMs: this.#clock.now(),
    };
    await this.#access.changeAnyTime((sql) => addSigningKey(sql, key, when));
    this.#keys = null;
  }

  async #keyOf({ kid = '' }: JWTHeaderParameters): Promise<CryptoKey> {
    const known = (await this.#loaded(KEYS_KEPT_MS)).byId.get(kid);
    // Another server may have made it a moment ago. Ids of nobody's keys do not make the database busy.
    const key = known ?? (await this.#loaded(1000)).byId.get(kid);
    if (key === undefined)
      throw unauthorized('The token is signed by a key that is not, or no longer, known');
    return key;
  }

  async #loaded(maxAgeMs: number): Promise<LoadedKeys> {
    const nowMs = this.#clock.now();
    const present = this.#keys;
    if (present !== null && Math.abs(nowMs - present.atMs) < maxAgeMs) return present;
    const keys = await listSigningKeys(this.#access.sql);
    const byId = new Map<string, CryptoKey>();
    for (const key of keys) byId.set(key.id, await importPublic(key));
    const loaded = { newest: keys[0] ?? null, byId, atMs: nowMs };
    this.#keys = loaded;
    return loaded;
  }
}

/** True if the token says of itself that this catalog made it; whether that is so is for `verify`. */
export function claimsToBeOwn(token: string): boolean {
  try {
    return decodeJwt(token).iss === ISSUER;
  } catch {
    return false;
  }
}

async function importPrivate(key: SigningKey): Promise<CryptoKey> {
  return imported(JSON.parse(key.privateJwk));
}

async function importPublic(key: SigningKey): Promise<CryptoKey> {
  const { d: _private, ...jwk } = JSON.parse(key.privateJwk);
  return imported(jwk);
}

async function imported(jwk: Parameters<typeof importJWK>[0]): Promise<CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new LakeError('corrupt', 'A signing key of the catalog is none');
  return key;
}
