import type { Clock } from '../../src/clock.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

const SECOND_MS = 1000;
/** Looks at one file a second; a client that asks now and then always gets one. */
const LOOKS_A_SECOND = 8;

interface Looks {
  readonly fromMs: number;
  count: number;
  last: Promise<boolean>;
}

/**
 * Whether metadata files that are kept in memory still stand in the store. Only somebody who deletes a current metadata file behind the catalog's back makes
 * a difference here (which file is current is the database's to say), so the looks at one file are limited to a few a second: a table that all
 * ask for costs the store no more than that, and who asks beyond gets what the last look found.
 */
export class StandingFiles {
  readonly #objects: Pick<ObjectStore, 'exists'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #looks = new Map<string, Looks>();
  #sweptAtMs = 0;

  constructor(objects: Pick<ObjectStore, 'exists'>, clock: Pick<Clock, 'now'>) {
    this.#objects = objects;
    this.#clock = clock;
  }

  /** Errors: those of `exists`. */
  stands(location: string): Promise<boolean> {
    const nowMs = this.#clock.now();
    const known = this.#looks.get(location);
    // A clock that was set back ends the second, too.
    if (known === undefined || Math.abs(nowMs - known.fromMs) >= SECOND_MS) {
      this.#sweep(nowMs);
      const last = this.#look(location);
      this.#looks.set(location, { fromMs: nowMs, count: 1, last });
      return last;
    }
    if (known.count < LOOKS_A_SECOND) {
      known.count++;
      known.last = this.#look(location);
    }
    return known.last;
  }

  async #look(location: string): Promise<boolean> {
    try {
      return await this.#objects.exists(location);
    } catch (error) {
      // The next one is to look again.
      this.#looks.delete(location);
      throw error;
    }
  }

  /** Forgets, once a second, the files of seconds that are over. */
  #sweep(nowMs: number): void {
    if (Math.abs(nowMs - this.#sweptAtMs) < SECOND_MS) return;
    this.#sweptAtMs = nowMs;
    for (const [location, { fromMs }] of this.#looks) {
      if (Math.abs(nowMs - fromMs) >= SECOND_MS) this.#looks.delete(location);
    }
  }
}
