import { joinLocation } from '../../src/storage/location.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { CatalogStore } from '../store/catalog-store.ts';

export type PartState = 'ok' | 'down' | 'slow';

/** What a server needs to work, and how it is. */
export interface Readiness {
  readonly database: PartState;
  readonly storage: PartState;
}

interface Parts {
  readonly store: Pick<CatalogStore, 'listNamespaces'>;
  readonly objects: ObjectStore;
  readonly warehouse: string;
}

interface ReadinessOptions {
  /** Within which a part has to answer, ms. */
  readonly timeoutMs?: number;
  /** For how long an answer is given again, ms. */
  readonly keptMs?: number;
  readonly onDown: (part: keyof Readiness, reason: unknown) => void;
}

const NO_ANSWER = Symbol('no answer');

/**
 * Asks database and object store for a small thing each. Answers stand for a second and one question is asked at a time, so that nobody
 * can hammer them through the probe.
 */
export class ReadinessProbe {
  readonly #parts: Parts;
  readonly #timeoutMs: number;
  readonly #keptMs: number;
  readonly #onDown: ReadinessOptions['onDown'];
  #answer: Promise<Readiness> | null = null;

  constructor(parts: Parts, { timeoutMs = 2000, keptMs = 1000, onDown }: ReadinessOptions) {
    this.#parts = parts;
    this.#timeoutMs = timeoutMs;
    this.#keptMs = keptMs;
    this.#onDown = onDown;
  }

  ask(): Promise<Readiness> {
    if (this.#answer !== null) return this.#answer;
    const answer = this.#asked();
    this.#answer = answer;
    void answer.then(() => {
      setTimeout(() => {
        this.#answer = null;
      }, this.#keptMs).unref();
    });
    return answer;
  }

  async #asked(): Promise<Readiness> {
    const { store, objects, warehouse } = this.#parts;
    const [database, storage] = await Promise.all([
      this.#stateOf('database', () => store.listNamespaces([], { limit: 1 })),
      this.#stateOf('storage', () => firstPage(objects, joinLocation(warehouse, '.readiness/'))),
    ]);
    return { database, storage };
  }

  async #stateOf(part: keyof Readiness, question: () => Promise<unknown>): Promise<PartState> {
    const { promise: timeout, resolve } = Promise.withResolvers<typeof NO_ANSWER>();
    const timer = setTimeout(() => resolve(NO_ANSWER), this.#timeoutMs);
    try {
      const answer = await Promise.race([question(), timeout]);
      if (answer !== NO_ANSWER) return 'ok';
      this.#onDown(part, `no answer within ${this.#timeoutMs} ms`);
      return 'slow';
    } catch (error) {
      this.#onDown(part, error);
      return 'down';
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A listing tells a bucket that is gone from an object that is not there; of a prefix that nobody writes to it is short. */
async function firstPage(objects: ObjectStore, prefix: string): Promise<void> {
  for await (const _page of objects.list(prefix, { pageSize: 1 })) return;
}
