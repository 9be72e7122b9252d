import { LakeError } from '../errors.ts';
import { field, fromFailure } from './response-error.ts';

interface CredentialOptions {
  /** Base address of the catalog, without `/v1`. */
  readonly uri: string;
  /** `client id:secret` */
  readonly credential: string;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  readonly timeoutMs: number;
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsedMs: () => number;
}

interface Token {
  readonly text: string;
  /** When to ask for the next one; null if the catalog did not say how long it is good. */
  readonly renewAtMs: number | null;
}

/** A token is renewed when this much of its time is left, at least the minutes that a long request may take. */
const SPARE_PART = 0.1;
const SPARE_MS = 60_000;

/** Tokens for a client id and its secret (REST spec: `getToken`, client credentials), renewed before they end. */
export class Credential {
  readonly #options: CredentialOptions;
  #token: Promise<Token> | null = null;

  constructor(options: CredentialOptions) {
    this.#options = options;
  }

  /** A token that is good for a while. Errors: `forbidden` for a credential that is not taken, `unavailable`, `unsupported`. */
  async token(): Promise<string> {
    const token = await this.#present();
    if (token.renewAtMs === null || this.#options.elapsedMs() < token.renewAtMs) return token.text;
    return this.renewed(token.text);
  }

  /** A new token in place of one that the catalog refused; those who ask at the same time share it. */
  async renewed(refused: string): Promise<string> {
    const before = this.#token;
    const isPresent = before !== null && (await this.#present()).text === refused;
    // Unless somebody else has asked for the next one meanwhile.
    if (isPresent && this.#token === before) this.#token = null;
    return (await this.#present()).text;
  }

  async #present(): Promise<Token> {
    this.#token ??= this.#ask();
    const asked = this.#token;
    try {
      return await asked;
    } catch (error) {
      if (this.#token === asked) this.#token = null;
      throw error;
    }
  }

  async #ask(): Promise<Token> {
    const { uri, credential, send, timeoutMs, elapsedMs } = this.#options;
    const askedAtMs = elapsedMs();
    const colon = credential.indexOf(':');
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: credential.slice(0, colon),
      client_secret: credential.slice(colon + 1),
      scope: 'catalog',
    });
    let response: Response;
    let body: unknown;
    try {
      response = await send(`${uri}/v1/oauth/tokens`, {
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
        // The secret goes to the catalog that was named, and nowhere else.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      body = response.ok ? JSON.parse(text) : parsedOrNull(text);
    } catch (error) {
      throw fromFailure(error, uri, false);
    }
    const text = field(body, 'access_token');
    if (!response.ok || typeof text !== 'string' || text === '') throw notTaken(uri, response.status, body);
    const seconds = field(body, 'expires_in');
    if (typeof seconds !== 'number') return { text, renewAtMs: null };
    const spareMs = Math.min(SPARE_MS, seconds * 1000 * SPARE_PART);
    return { text, renewAtMs: askedAtMs + seconds * 1000 - spareMs };
  }
}

function notTaken(uri: string, status: number, body: unknown): LakeError {
  const described = field(body, 'error_description') ?? field(field(body, 'error'), 'message');
  const reason = typeof described === 'string' ? described : `it answered with status ${status}`;
  if (status === 404 || status === 405 || status === 501) {
    return new LakeError('unsupported', `The catalog at ${uri} gives no tokens for a credential`, {
      where: uri,
      hint: 'Nothing was done: write catalog.token instead of catalog.credential, or neither.',
    });
  }
  if (status === 429 || status >= 500) {
    return new LakeError('unavailable', `The catalog at ${uri} gives no token now: ${reason}`, {
      where: uri,
      hint: 'Nothing was done: try again.',
    });
  }
  return new LakeError('forbidden', `The catalog at ${uri} does not take the credential: ${reason}`, {
    where: uri,
    hint: 'Nothing was done: check the client id and the secret (catalog.credential in lake.yaml, CLIENT_ID:SECRET).',
  });
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
