import { LakeError } from '../../src/errors.ts';

/** Bounds how much is at work at once, and how much waits. */
export class WorkSlots {
  readonly #waiting: (() => void)[] = [];
  readonly #limit: { readonly running: number; readonly waiting: number };
  #running = 0;

  constructor(limit: { readonly running: number; readonly waiting: number }) {
    this.#limit = limit;
  }

  /** Runs `work` when a slot is free. Errors: `unavailable` if as many wait as may. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit.running) await this.#turn();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // Whoever waited takes the slot over.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#limit.waiting) {
      throw new LakeError('unavailable', 'The catalog plans as many scans as it takes', {
        hint: 'Nothing was done: send it again in 1 s, or plan in the client.',
        context: { retryAfterSeconds: 1 },
      });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
