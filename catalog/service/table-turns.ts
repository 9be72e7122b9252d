import type { TableName } from '../store/catalog-store.ts';

/** A change that waits for its table's turn; whoever has the turn may take it along. */
export interface Waiting<C> {
  readonly change: C;
  /** False once it was taken along. */
  isWaiting: boolean;
}

/**
 * Whose turn it is to commit to a table in this process. Commits of one process to one table would only make each other's metadata files
 * worthless; other processes, and changes that come another way (moves, drops), are kept apart by the compare-and-set of the pointer alone.
 */
export class TableTurns<C> {
  readonly #last = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting<C>[]>();

  /** Waits for the turn on all of `tables`, first come, first served; the result gives it back. */
  async take(tables: readonly TableName[]): Promise<() => void> {
    const releases: (() => void)[] = [];
    // In one order for all, so that no two wait for each other.
    for (const key of [...new Set(tables.map(keyOf))].sort()) releases.push(await this.#takeOne(key));
    return () => {
      for (const release of releases) release();
    };
  }

  /** Lets whoever has the turn on the table take the change along. */
  join(table: TableName, change: C): Waiting<C> {
    const waiting: Waiting<C> = { change, isWaiting: true };
    const key = keyOf(table);
    const others = this.#waiting.get(key);
    if (others === undefined) this.#waiting.set(key, [waiting]);
    else others.push(waiting);
    return waiting;
  }

  /** Takes along what waits for the table, in the order it came, `most` at once. For the one who has the turn. */
  drain(table: TableName, most: number): readonly C[] {
    const key = keyOf(table);
    const waiting = this.#waiting.get(key) ?? [];
    const taken = waiting.splice(0, most);
    if (waiting.length === 0) this.#waiting.delete(key);
    for (const one of taken) one.isWaiting = false;
    return taken.map(({ change }) => change);
  }

  async #takeOne(key: string): Promise<() => void> {
    const before = this.#last.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(key, promise);
    await before;
    return () => {
      if (this.#last.get(key) === promise) this.#last.delete(key);
      resolve();
    };
  }
}

function keyOf({ namespace, name }: TableName): string {
  return JSON.stringify([namespace, name]);
}
