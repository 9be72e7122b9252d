import type { Clock } from '../../src/clock.ts';
import type { SessionCredentials } from './assume-role.ts';

const MAX_KEPT = 2_000;
/** Credentials are handed out as long as this part of their time is left: clients hold on to them for the length of a query. */
const LEFT = 0.5;

interface Kept {
  readonly made: Promise<SessionCredentials>;
  readonly fromMs: number;
}

/** Credentials that were made before and live on long enough. They stay in memory and are never written anywhere. */
export class CredentialCache {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those of `key`, else what `make` makes; requests that come meanwhile wait for the same. */
  async get(key: string, make: () => Promise<SessionCredentials>): Promise<SessionCredentials> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      const credentials = await kept.made;
      const lifetimeMs = credentials.expiresAtMs - kept.fromMs;
      if (credentials.expiresAtMs - this.#clock.now() > lifetimeMs * LEFT) return credentials;
      if (this.#kept.get(key) !== kept) return this.get(key, make);
    }
    return this.#remember(key, make());
  }

  #remember(key: string, made: Promise<SessionCredentials>): Promise<SessionCredentials> {
    const kept = { made, fromMs: this.#clock.now() };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    made.catch(() => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return made;
  }
}
