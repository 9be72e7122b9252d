import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { ANONYMOUS, callerOf } from '../auth/caller.ts';
import { type AppliedRequest, runAs } from '../store/applied-request.ts';
import type { CatalogStore, IdempotencyRecord } from '../store/catalog-store.ts';
import { errorBody } from './error-response.ts';

/** How long clients may use a key again; records are kept twice as long, as clocks differ. */
export const KEY_LIFETIME = 'PT30M';
const KEPT_MS = 2 * 30 * 60 * 1000;
/** Longer answers are made anew from the catalog's state, as the spec allows. */
const KEPT_BODY_LENGTH = 64 * 1024;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Refusals that would be the same again. */
const FINAL_REFUSALS: readonly number[] = [400, 404, 406, 409, 422];

/** Answers a request anew whose change was applied, from the state of the catalog. */
export type AnswerAgain = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** One request at a time runs under a key. */
class KeyLocks {
  readonly #held = new Map<string, Promise<void>>();

  /** Waits for whoever has the key; the result gives it back. */
  async take(key: string): Promise<() => void> {
    for (let other = this.#held.get(key); other !== undefined; other = this.#held.get(key)) await other;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(key, promise);
    return () => {
      if (this.#held.get(key) === promise) this.#held.delete(key);
      resolve();
    };
  }
}

interface Running {
  readonly scope: AppliedRequest;
  readonly release: () => void;
}

/**
 * `Idempotency-Key` (REST spec): a change that was applied or refused for good is answered once more, not made once more. The change notes
 * the key in its own transaction (see `appliedRequests`), so that not even a crash before the answer makes it happen twice. 5xx and
 * refusals that may pass (401, 403, 404 of what is hidden from the caller, 429) are not kept. A key belongs to who sent it: nobody is given the
 * answer to somebody else. What was answered already is answered again whatever the caller may do by now: the table that they dropped is
 * gone, and so are their rights on it.
 */
export function replayRequests(
  app: FastifyInstance,
  parts: {
    readonly store: CatalogStore;
    readonly clock: Clock;
    /** Throws for who may not do what the request asks for. */
    readonly authorize: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
    readonly answerAgain: AnswerAgain;
  },
): void {
  const { store, clock, authorize, answerAgain } = parts;
  const locks = new KeyLocks();
  const running = new WeakMap<FastifyRequest, Running>();

  /** The scope to run the request in; undefined if it was answered from what is known. */
  async function begin(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<AppliedRequest | null | undefined> {
    const scope = scopeOf(request, clock);
    if (scope === null) {
      await authorize(request, reply);
      return null;
    }
    const release = await locks.take(scope.key);
    running.set(request, { scope: { ...scope, replayed: true }, release });
    const record = await store.findIdempotencyRecord(scope.key);
    if (record === null) {
      await authorize(request, reply);
      running.set(request, { scope, release });
      return scope;
    }
    refuseOther(record, scope);
    await replay(record, request, reply, answerAgain);
    return undefined;
  }

  app.addHook('preHandler', (request, reply, done) => {
    begin(request, reply).then((scope) => {
      if (scope === null) done();
      else if (scope !== undefined) runAs([scope], () => done());
    }, done);
  });
  /** False for a refusal that may not be told, as the request was, or may yet be, applied by another server. */
  async function note(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<boolean> {
    const scope = running.get(request)?.scope;
    if (scope === undefined || scope.replayed) return true;
    try {
      // What must not be kept has credentials in it.
      const isKept = reply.getHeader('cache-control') !== 'no-store';
      const record = recordOf(scope, reply.statusCode, isKept ? payload : null);
      if (record === null) return true;
      if (record.status !== null && (record.status < 400 || record.body !== null)) {
        return await store.saveIdempotencyRecord(record, clock.now() - KEPT_MS);
      }
      // Without its text it could not be given again: the request is looked at once more.
      const applied = await store.findIdempotencyRecord(scope.key);
      return applied === null || (applied.status ?? 200) >= 400;
    } catch (error) {
      request.log.warn(error, 'the answer to a request with an idempotency key was not kept');
      // A change noted its key itself.
      return scope.noted || !isKind(error, 'unavailable', 'unknown-outcome');
    }
  }

  app.addHook('onSend', async (request, reply, payload) => {
    const isTrue = await note(request, reply, payload);
    // To a client that went away meanwhile nothing is sent, and `onResponse` never comes: the key must be free when it asks again.
    const release = running.get(request)?.release;
    if (reply.raw.destroyed) release?.();
    else reply.raw.once('close', () => release?.());
    if (isTrue) return payload;
    const body = errorBody(inDoubt());
    reply.code(body.error.code).removeHeader('content-length');
    return stringifyJson(body);
  });
  app.addHook('onResponse', async (request) => running.get(request)?.release());
}

/** A client that is told of a refusal deletes what it wrote for the change. */
function inDoubt(): LakeError {
  return new LakeError('unknown-outcome', 'Another server applied the same request, or is about to', {
    hint: 'Send it once more with the same Idempotency-Key, or load what it changes.',
  });
}

/** Null for requests without a key, or that change nothing. */
function scopeOf(request: FastifyRequest, clock: Clock): AppliedRequest | null {
  const key = request.headers['idempotency-key'];
  const { method, url } = request;
  if (key === undefined || (method !== 'POST' && method !== 'DELETE') || url.startsWith('/lake/'))
    return null;
  // Who has no token must not be able to fill the database.
  if (callerOf(request) === ANONYMOUS) return null;
  if (typeof key !== 'string' || !UUID.test(key)) {
    throw new LakeError('invalid-argument', 'The Idempotency-Key is no UUID', {
      hint: 'Nothing was done: send a fresh UUID (version 7) of 36 characters for each operation.',
    });
  }
  const { id: owner } = callerOf(request);
  const hash = createHash('sha256').update(`${method} ${url}\n${stringifyJson(request.body ?? null)}`);
  return {
    key: owner === null ? key.toLowerCase() : `${owner}/${key.toLowerCase()}`,
    digest: hash.digest('hex'),
    createdAtMs: clock.now(),
    noted: false,
    replayed: false,
  };
}

function refuseOther(record: IdempotencyRecord, scope: AppliedRequest): void {
  if (record.digest === scope.digest) return;
  throw new LakeError('invalid-argument', 'The Idempotency-Key was used for another request', {
    hint: 'Nothing was done: use a fresh key for each operation.',
    context: { type: 'UnprocessableEntityException' },
  });
}

async function replay(
  record: IdempotencyRecord,
  request: FastifyRequest,
  reply: FastifyReply,
  answerAgain: AnswerAgain,
): Promise<void> {
  const { status, body } = record;
  if (status === 204) await reply.code(204).send();
  else if (status !== null && body !== null) {
    await reply.code(status).type('application/json; charset=utf-8').serializer(asItIs).send(body);
  } else await answerAgain(request, reply);
}

const asItIs = (text: unknown): string => String(text);

function recordOf(scope: AppliedRequest, status: number, payload: unknown): IdempotencyRecord | null {
  const { key, digest, createdAtMs } = scope;
  const isDone = status >= 200 && status < 300 && scope.noted;
  const isRefused = FINAL_REFUSALS.includes(status) && !scope.noted;
  if (!isDone && !isRefused) return null;
  const isKept =
    (typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length <= KEPT_BODY_LENGTH;
  const body = isKept ? payload.toString() : null;
  return { key, digest, createdAtMs, status, body };
}
