import { LakeError } from '../../src/errors.ts';
import type { DroppedTable, TablePointer } from '../store/catalog-store.ts';
import type { CatalogContext } from './context.ts';
import { liesInOwnFolders, objectOf } from './own-locations.ts';
import type { PurgeOutcome } from './purge-outcome.ts';
import { reachableFiles } from './reachable-files.ts';

const BATCH = 1000;

type PurgeContext = Pick<CatalogContext, 'store' | 'objects' | 'files' | 'clock'>;

/**
 * Deletes the files of tables that were dropped with purge. The order that safety rests on:
 *
 * 1. The drop is one transaction: the pointer goes, and the purge is noted. From then on the table cannot be loaded, committed to,
 *    brought back or registered anew.
 * 2. All that its last metadata leads to, below its own folders, is written down in the database (`purging` -> `listed`): later the
 *    manifests that say so are gone themselves.
 * 3. Proof: every other table of the catalog, dropped ones that can come back included, is read through, and what it names is taken
 *    off the list; so is what the ledger of moves still has. If one table cannot be read, nothing is deleted.
 * 4. What is left is deleted, batch by batch, each batch taken off the list afterwards.
 *
 * A crash at any point leaves the purge noted. It goes on with step 2 or, the proof being old by then, with step 3. While the table
 * is leased (a move may be running) it waits.
 */
export class Purges {
  readonly #context: PurgeContext;
  #running: Promise<readonly PurgeOutcome[]> | null = null;
  #again = false;
  #stopped = false;

  constructor(context: PurgeContext) {
    this.#context = context;
  }

  /** Runs every purge that waits; at most one run at a time, and one more for what came in meanwhile. */
  async run(): Promise<readonly PurgeOutcome[]> {
    if (this.#running !== null) {
      this.#again = true;
      await this.#running;
      if (!this.#again) return this.#running ?? [];
    }
    this.#again = false;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Ends a run after the batch that it is at; what is left goes on at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => {});
  }

  async #runAll(): Promise<readonly PurgeOutcome[]> {
    const outcomes: PurgeOutcome[] = [];
    for (let after = ''; !this.#stopped; ) {
      const page = await this.#context.store.listDropped(['purging', 'listed'], { after, limit: 100 });
      for (const dropped of page.rows) if (!this.#stopped) outcomes.push(await this.#tried(dropped));
      if (page.next === null) break;
      after = page.next;
    }
    return outcomes;
  }

  /** One that fails (a table that cannot be read, a store that does not answer) waits with its reason. */
  async #tried(dropped: DroppedTable): Promise<PurgeOutcome> {
    try {
      return await this.#purge(dropped);
    } catch (error) {
      const waits = error instanceof Error ? error.message : String(error);
      const { state } = await this.#context.store.getDropped(dropped.id);
      await this.#context.store.setPurgeState(dropped.id, { state, note: waits });
      return { id: dropped.id, deleted: 0, kept: 0, waits };
    }
  }

  async #purge(dropped: DroppedTable): Promise<PurgeOutcome> {
    const { store, clock } = this.#context;
    if (await store.isLeased(dropped.uuid, clock.now())) {
      throw new LakeError(
        'conflict',
        'A move of the table is running or was interrupted: its lease has not run out',
      );
    }
    if (dropped.state === 'purging') await this.#list(dropped);
    const kept = (await this.#keepNamed(dropped)) + (await store.leaveToLedger(dropped.id));
    const deleted = await this.#delete(dropped);
    if (this.#stopped) return { id: dropped.id, deleted, kept, waits: 'The server stops' };
    await store.setPurgeState(dropped.id, {
      state: 'purged',
      note: kept === 0 ? null : `${kept} files stay: others name them`,
    });
    return { id: dropped.id, deleted, kept, waits: null };
  }

  async #list(dropped: DroppedTable): Promise<void> {
    const { store, files } = this.#context;
    const file = await files.read(dropped.metadataLocation);
    const isOwn = liesInOwnFolders(file.metadata);
    for await (const batch of batches(reachableFiles(this.#context, file, 'skip'))) {
      this.#checkStopped();
      const rows = batch.filter(isOwn).map((location) => ({ object: objectOf(location), location }));
      await store.addPurgeFiles(dropped.id, rows);
    }
    await store.setPurgeState(dropped.id, { state: 'listed', note: null });
  }

  async #keepNamed(dropped: DroppedTable): Promise<number> {
    let kept = 0;
    for (const pointer of await this.#others()) {
      const file = await this.#context.files.read(pointer.metadataLocation);
      for await (const batch of batches(reachableFiles(this.#context, file, 'fail'))) {
        this.#checkStopped();
        kept += await this.#context.store.removePurgeFiles(dropped.id, batch.map(objectOf));
      }
    }
    return kept;
  }

  /** Asked for at one moment: a table that is dropped or brought back meanwhile must be found once at least. */
  async #others(): Promise<readonly TablePointer[]> {
    const standing = await this.#context.store.allStanding();
    return standing.filter(({ kind }) => kind !== 'view');
  }

  async #delete(dropped: DroppedTable): Promise<number> {
    const { store, objects } = this.#context;
    let deleted = 0;
    while (!this.#stopped) {
      const batch = await store.nextPurgeFiles(dropped.id, BATCH);
      if (batch.length === 0) break;
      await objects.delete(batch.map((file) => file.location));
      await store.removePurgeFiles(
        dropped.id,
        batch.map((file) => file.object),
      );
      deleted += batch.length;
    }
    return deleted;
  }

  #checkStopped(): void {
    if (this.#stopped) throw new LakeError('unavailable', 'The server stops');
  }
}

async function* batches(locations: AsyncIterable<string>): AsyncIterable<readonly string[]> {
  let batch: string[] = [];
  for await (const location of locations) {
    batch.push(location);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
