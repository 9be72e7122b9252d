/** At most `allowed` failures in a window. */
interface Bound {
  readonly allowed: number;
  readonly windowMs: number;
}

const MINUTE_MS = 60_000;
/** Of one client id from one address: somebody guesses its secret. Nobody else can lock a client out from elsewhere. */
const BY_CLIENT: Bound = { allowed: 10, windowMs: MINUTE_MS };
/** From one address: somebody guesses client ids. Several clients may sit behind one address. */
const BY_ADDRESS: Bound = { allowed: 100, windowMs: MINUTE_MS };
const KEPT = 20_000;

interface Window {
  readonly startMs: number;
  failures: number;
}

/** Counts wrong secrets by client and address, in bounded memory: the longest unchanged counts are forgotten first. */
export class FailedSignIns {
  readonly #windows = new Map<string, Window>();

  /** Milliseconds to wait until the client may try again from this address; 0 for at once. */
  waitMs(client: string, address: string, nowMs: number): number {
    const waits = bounds(client, address).map(([key, { allowed, windowMs }]) => {
      const window = this.#windows.get(key);
      if (window === undefined || window.failures < allowed) return 0;
      return Math.max(0, window.startMs + windowMs - nowMs);
    });
    return Math.max(...waits);
  }

  failed(client: string, address: string, nowMs: number): void {
    for (const [key, { windowMs }] of bounds(client, address)) {
      const known = this.#windows.get(key);
      const isOver = known === undefined || known.startMs + windowMs <= nowMs;
      const window = isOver ? { startMs: nowMs, failures: 0 } : known;
      window.failures += 1;
      // Put at the end: a map's order is that of insertion.
      this.#windows.delete(key);
      this.#windows.set(key, window);
    }
    for (const key of this.#windows.keys()) {
      if (this.#windows.size <= KEPT) break;
      this.#windows.delete(key);
    }
  }

  get size(): number {
    return this.#windows.size;
  }
}

function bounds(client: string, address: string): readonly (readonly [key: string, bound: Bound])[] {
  return [
    [JSON.stringify([address, client.slice(0, 128)]), BY_CLIENT],
    [JSON.stringify([address]), BY_ADDRESS],
  ];
}
