import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Page, PageRequest } from '../../catalog/store/catalog-store.ts';
import { openCatalogStore, openSqlDatabase } from '../../catalog/store/open-store.ts';
import type { SqlDatabase } from '../../catalog/store/sql-database.ts';
import type { SqlStore } from '../../catalog/store/sql-store.ts';
import { systemClock } from '../../src/clock.ts';

export const NAMESPACE = ['n'];
export const T = { namespace: NAMESPACE, name: 't', uuid: 'u' };
export const NOW = 1_000_000;
/** By code points, as the store has to order; JavaScript orders by UTF-16 units. */
export const byCodePoints = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** All rows, page by page. */
export async function everyPage<R>(
  read: (page: PageRequest) => Promise<Page<R>>,
  limit: number,
): Promise<R[]> {
  const found: R[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const page = await read({ limit, ...(after === undefined ? {} : { after }) });
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    found.push(...page.rows);
    after = page.next;
  }
  return found;
}

/** `done`, or the kind of the error, of each. */
export async function outcomes(attempts: readonly Promise<unknown>[]): Promise<unknown[]> {
  return (await Promise.allSettled(attempts)).map((one) =>
    one.status === 'fulfilled' ? 'done' : one.reason.kind,
  );
}

/** Two servers' stores of one catalog, which has the table `T` at `m0`. */
export interface OpenedStores {
  store: SqlStore;
  other: SqlStore;
  readonly openDatabase: () => Promise<SqlDatabase>;
}

/** Registers hooks that open a new catalog for each test, where `place` says, and close it; `use` gets the stores before each test. */
export function openedStores(place: (folder: string) => string, use: (opened: OpenedStores) => void): void {
  let folder: string;
  const opened: { close(): Promise<void> }[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-store-'));
    const at = place(folder);
    const open = async () => {
      const made = await openCatalogStore(at, systemClock);
      opened.push(made);
      return made;
    };
    const openDatabase = async () => {
      const made = await openSqlDatabase(at, systemClock);
      opened.push(made);
      return made;
    };
    const [store, other] = await Promise.all([open(), open()]);
    await store.createNamespace(NAMESPACE, {});
    await store.changePointers([{ ...T, metadataLocation: 'm0', expected: null }]);
    use({ store, other, openDatabase });
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await rm(folder, { recursive: true, force: true });
  });
}
