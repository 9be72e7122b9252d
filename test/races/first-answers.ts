import { LakeError } from '../../src/errors.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { idOf, type RacedTable, type RacingLake, rowsAt, TABLES } from './racing-lake.ts';

/** What a snapshot answered when it was read. */
export interface Answer {
  readonly name: RacedTable;
  readonly snapshotId: bigint;
  readonly sequence: number;
  /** What it was read from: a move gives a snapshot another list, and its rows are to be the same. */
  readonly manifestList: string;
  readonly rows: string;
}

/**
 * What every snapshot of the raced tables answered: as soon as it was seen, and once more before it may expire where a move has
 * given it other files since. No snapshot expires unread.
 */
export class Answers {
  readonly #lake: RacingLake;
  readonly #all: Answer[] = [];
  /** By snapshot and manifest list, what was read or is being read; null for what had expired. */
  readonly #read = new Map<string, Promise<Answer | null>>();

  constructor(lake: RacingLake) {
    this.#lake = lake;
  }

  get all(): readonly Answer[] {
    return this.#all;
  }

  /** Reads the snapshots that were never read, newest first. Returns whether there were any. */
  async readNew(): Promise<boolean> {
    const known = new Set(this.#all.map(({ name, snapshotId }) => `${name} ${snapshotId}`));
    let isNew = false;
    for (const name of TABLES) {
      const { metadata } = await this.#lake.catalog.loadTable(idOf(name));
      for (const snapshot of metadata.snapshots.toReversed()) {
        if (known.has(`${name} ${snapshot['snapshot-id']}`)) continue;
        isNew = (await this.#once(name, snapshot)) !== null || isNew;
      }
    }
    return isNew;
  }

  /** Reads all snapshots older than a time (ms) as they are now, so that they may expire; those of which this is known are not read again. */
  async readOlderThan(timeMs: number): Promise<void> {
    for (const name of TABLES) {
      const { metadata } = await this.#lake.catalog.loadTable(idOf(name));
      for (const snapshot of metadata.snapshots)
        if (snapshot['timestamp-ms'] < timeMs) await this.#once(name, snapshot);
    }
  }

  #once(name: RacedTable, snapshot: Snapshot): Promise<Answer | null> {
    const key = `${name} ${snapshot['snapshot-id']} ${snapshot['manifest-list']}`;
    const found = this.#read.get(key) ?? this.#answer(name, snapshot);
    this.#read.set(key, found);
    return found;
  }

  async #answer(name: RacedTable, snapshot: Snapshot): Promise<Answer | null> {
    const read = await rowsOf(this.#lake, name, snapshot);
    if (read === null) return null;
    const answer = {
      name,
      snapshotId: snapshot['snapshot-id'],
      sequence: snapshot['sequence-number'],
      ...read,
    };
    this.#all.push(answer);
    return answer;
  }
}

/** The rows of a snapshot; null if it has been expired. A move or an expiry may delete files under a reader that planned before it. */
async function rowsOf(
  lake: RacingLake,
  name: RacedTable,
  snapshot: Snapshot,
): Promise<{ readonly manifestList: string; readonly rows: string } | null> {
  for (let now = snapshot; ; ) {
    try {
      const rows = await rowsAt(lake, name, { snapshotId: now['snapshot-id'] });
      return { manifestList: now['manifest-list'], rows: rows.join() };
    } catch (error) {
      const { metadata } = await lake.catalog.loadTable(idOf(name));
      const found = metadata.snapshots.find((one) => one['snapshot-id'] === now['snapshot-id']);
      if (found === undefined) return null;
      if (found['manifest-list'] === now['manifest-list'])
        throw error instanceof LakeError ? error : new Error(`${name}: ${error}`, { cause: error });
      now = found;
    }
  }
}
