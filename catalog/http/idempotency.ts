import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { type AppliedRequest, runAs } from '../store/applied-request.ts';
import type { CatalogStore, IdempotencyRecord } from '../store/catalog-store.ts';

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
 * the key in its own transaction (see `appliedRequest`), so that not even a crash before the answer makes it happen twice. 5xx and
 * refusals that may pass (401, 403, 429) are not kept.
 */
export function replayRequests(
  app: FastifyInstance,
  parts: { readonly store: CatalogStore; readonly clock: Clock; readonly answerAgain: AnswerAgain },
): void {
  const { store, clock, answerAgain } = parts;
  const locks = new KeyLocks();
  const running = new WeakMap<FastifyRequest, Running>();

  /** The scope to run the request in; undefined if it was answered from what is known. */
  async function begin(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<AppliedRequest | null | undefined> {
    const scope = scopeOf(request, clock);
    if (scope === null) return null;
    const release = await locks.take(scope.key);
    running.set(request, { scope, release });
    const record = await store.findIdempotencyRecord(scope.key);
    if (record === null) return scope;
    running.set(request, { scope: { ...scope, replayed: true }, release });
    refuseOther(record, scope);
    await replay(record, request, reply, answerAgain);
    return undefined;
  }

  app.addHook('preHandler', (request, reply, done) => {
    begin(request, reply).then((scope) => {
      if (scope === null) done();
      else if (scope !== undefined) runAs(scope, () => done());
    }, done);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const scope = running.get(request)?.scope;
    if (scope === undefined || scope.replayed) return payload;
    try {
      const record = recordOf(scope, reply.statusCode, payload);
      if (record !== null) await store.saveIdempotencyRecord(record, clock.now() - KEPT_MS);
    } catch (error) {
      // The change noted its key itself; a refusal that is not kept is made once more.
      request.log.warn(error, 'the answer to a request with an idempotency key was not kept');
    }
    return payload;
  });
  app.addHook('onResponse', async (request) => running.get(request)?.release());
}

/** Null for requests without a key, or that change nothing. */
function scopeOf(request: FastifyRequest, clock: Clock): AppliedRequest | null {
  const key = request.headers['idempotency-key'];
  const { method, url } = request;
  if (key === undefined || (method !== 'POST' && method !== 'DELETE') || url.startsWith('/lake/'))
    return null;
  if (typeof key !== 'string' || !UUID.test(key)) {
    throw new LakeError('invalid-argument', 'The Idempotency-Key is no UUID', {
      hint: 'Nothing was done: send a fresh UUID (version 7) of 36 characters for each operation.',
    });
  }
  const hash = createHash('sha256').update(`${method} ${url}\n${stringifyJson(request.body ?? null)}`);
  return {
    key: key.toLowerCase(),
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
  const body = typeof payload === 'string' && payload.length <= KEPT_BODY_LENGTH ? payload : null;
  return { key, digest, createdAtMs, status, body };
}
