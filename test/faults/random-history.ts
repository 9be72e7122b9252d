import { isKind } from '../../src/errors.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { type ExpireReport, expireTables } from '../../src/maintenance/expire.ts';
import type { MaintenanceStep } from '../../src/maintenance/maintenance-run.ts';
import { removeOrphans } from '../../src/maintenance/orphans.ts';
import type { SnapshotRules } from '../../src/maintenance/snapshot-rules.ts';
import { createRef, removeRef } from '../../src/table/tag.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';
import {
  commitFiles,
  createWords,
  DAY,
  FIRST_DAY,
  HOUR,
  type MemoryLake,
  metadataOf,
  movingPolicies,
  openMemoryLake,
  unreferenced,
  wordsOf,
  writeWord,
} from '../maintenance/memory-lake.ts';

/** Numbers that a seed decides. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TABLE = { namespace: ['gold'], name: 'facts' };
const DAYS = [FIRST_DAY, '2001-01-02', '2001-01-03'];

class Crash extends Error {}

/**
 * A lake in memory, on the real catalog, with a table whose files hold one word each: what a snapshot reads is the set
 * of its words. The model keeps what each snapshot read when it was committed.
 */
export class RandomHistory {
  readonly log: string[] = [];
  readonly #lake: MemoryLake;
  readonly #random: () => number;
  readonly #model = new Map<bigint, readonly string[]>();
  #names = 0;

  private constructor(lake: MemoryLake, random: () => number) {
    this.#lake = lake;
    this.#random = random;
  }

  static async open(seed: number): Promise<RandomHistory> {
    const lake = await openMemoryLake();
    await createWords(lake, TABLE.name, { properties: { 'write.metadata.previous-versions-max': '3' } });
    return new RandomHistory(lake, numbersFrom(seed));
  }

  async close(): Promise<void> {
    await this.#lake.close();
  }

  /** One random step of any kind; `expire` steps are checked for themselves. */
  async step(): Promise<void> {
    const draw = this.#random();
    if (draw < 0.3) return this.#change('append');
    if (draw < 0.45) return this.#change('overwrite');
    if (draw < 0.6) return this.#refs();
    if (draw < 0.7) return this.#move();
    if (draw < 0.78) return this.#wait();
    if (draw < 0.82) return this.#leak();
    if (draw < 0.85) return this.#orphans();
    return this.#expire();
  }

  /** Lets every grace and age pass, removes what is left over, and returns what nothing names and is there all the same. */
  async settle(): Promise<string[]> {
    this.#lake.pass(10 * DAY);
    await applyPlan(this.#lake, { moves: [], kept: [], tables: [] });
    await this.#orphans();
    await this.checkReads();
    const metadata = await this.#metadata();
    const log = new Set(metadata['metadata-log'].map((one) => one['metadata-file']));
    return (await unreferenced(this.#lake)).filter((location) => !log.has(location));
  }

  /** Throws unless every snapshot, branch and tag reads as the model says. */
  async checkReads(): Promise<void> {
    const metadata = await this.#metadata();
    const { snapshots, refs } = metadata;
    for (const snapshot of snapshots) {
      const id = snapshot['snapshot-id'];
      const expected = this.#model.get(snapshot['parent-snapshot-id'] ?? 0n);
      // A fence reads what its parent reads; it is looked at right after its move, while both are there.
      if (snapshot.summary[FENCE_PROPERTY] !== undefined) this.#remember(id, expected);
      const read = await wordsOf(this.#lake, metadata, id);
      const wanted = this.#model.get(id);
      if (wanted === undefined || JSON.stringify(read) !== JSON.stringify(wanted)) {
        throw new Error(`snapshot ${id} reads ${read.join()}, not ${wanted?.join()}`);
      }
    }
    for (const [name, ref] of Object.entries(refs)) {
      if (!this.#model.has(ref['snapshot-id'])) throw new Error(`ref ${name} leads nowhere`);
    }
  }

  #remember(id: bigint, words: readonly string[] | undefined): void {
    if (words !== undefined && !this.#model.has(id)) this.#model.set(id, words);
  }

  #metadata(): Promise<TableMetadata> {
    return metadataOf(this.#lake, TABLE);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  async #change(kind: 'append' | 'overwrite'): Promise<void> {
    const metadata = await this.#metadata();
    const branches = Object.entries(metadata.refs).filter(([, ref]) => ref.type === 'branch');
    const branch = this.#pick(['main', ...branches.map(([name]) => name)])!;
    const files: DataFile[] = [];
    for (let count = 1 + Math.floor(this.#random() * 3); count > 0; count--)
      files.push(await this.#newFile(metadata));
    const draw = this.#random();
    this.log.push(`${kind} ${files.length} files on ${branch}`);
    const id = await commitFiles(this.#lake, TABLE, {
      files,
      branch,
      removes: (_, at) => kind === 'overwrite' && (at * 0.37 + draw) % 1 < 0.4,
    });
    this.#remember(id, await wordsOf(this.#lake, await this.#metadata(), id));
  }

  #newFile(metadata: TableMetadata): Promise<DataFile> {
    return writeWord(this.#lake, metadata, `w${this.#names++}`, this.#pick(DAYS)!);
  }

  async #refs(): Promise<void> {
    const metadata = await this.#metadata();
    const snapshot = this.#pick(metadata.snapshots);
    const others = Object.keys(metadata.refs).filter((name) => name !== 'main');
    const old = this.#pick(others);
    if (old !== undefined && this.#random() < 0.35) {
      this.log.push(`drop ref ${old}`);
      await removeRef(this.#lake, TABLE, old);
    } else if (snapshot !== undefined && this.#random() < 0.2) {
      await this.#setMain(snapshot['snapshot-id']);
    } else if (snapshot !== undefined) {
      const type = this.#random() < 0.5 ? 'tag' : 'branch';
      const name = `${type}_${this.#names++}`;
      this.log.push(`${type} ${name}`);
      await tolerating(() =>
        createRef(this.#lake, TABLE, { name, type, snapshotId: snapshot['snapshot-id'] }),
      );
    }
  }

  /** Rolls main back, or forward to another branch's snapshot. */
  async #setMain(id: bigint): Promise<void> {
    this.log.push(`set main to ${id}`);
    await tolerating(() =>
      this.#lake.catalog.commitTable({
        identifier: TABLE,
        requirements: [],
        updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id }],
      }),
    );
  }

  async #move(): Promise<void> {
    const at = Date.parse('2001-01-31T00:00Z') + Math.floor(this.#random() * 40) * DAY;
    const plan = await planMoves(this.#lake, movingPolicies(), at);
    this.log.push(`move ${plan.moves.map((one) => `${one.partition}->${one.to}`).join(' ')}`);
    await tolerating(() => applyPlan(this.#lake, plan));
    await this.checkReads();
  }

  async #wait(): Promise<void> {
    const hours = 1 + Math.floor(this.#random() * 30);
    this.log.push(`wait ${hours}h`);
    this.#lake.pass(hours * HOUR);
  }

  /** A writer that died before its commit. */
  async #leak(): Promise<void> {
    this.log.push('leak');
    await this.#newFile(await this.#metadata());
  }

  async #orphans(): Promise<void> {
    this.log.push('orphans');
    const report = await removeOrphans(this.#lake, {
      olderThanMs: () => 3 * DAY,
      droppedOlderThanMs: 3 * DAY,
      dropped: true,
    });
    if (report.refused.length > 0) throw new Error(`orphans refused: ${JSON.stringify(report.refused)}`);
    await this.checkReads();
  }

  /** Expires by random rules; sometimes another writer comes in between, sometimes it is killed. */
  async #expire(): Promise<void> {
    const rules: SnapshotRules = {
      minToKeep: 1 + Math.floor(this.#random() * 3),
      maxAgeMs: this.#pick([1, HOUR, 10 * HOUR, DAY])!,
      maxRefAgeMs: this.#pick([HOUR, 20 * HOUR, Number.POSITIVE_INFINITY])!,
    };
    const disturbance = this.#random();
    const at = this.#pick<MaintenanceStep>(['planned', 'committed', 'collected', 'proved', 'deleting']);
    this.log.push(`expire ${JSON.stringify(rules)} ${disturbance < 0.5 ? `disturbed ${at}` : ''}`);
    const left = await unreferenced(this.#lake);
    let disturbed = false;
    const report = await this.#expireWith(rules, async (step) => {
      if (step !== at || disturbed || disturbance >= 0.5) return;
      disturbed = true;
      if (disturbance < 0.1) throw new Crash(step);
      await this.#disturb(step);
    });
    await this.checkReads();
    if (report === null || disturbed) return;
    if (report.refused.length > 0) throw new Error(`expire refused: ${JSON.stringify(report.refused)}`);
    const more = (await unreferenced(this.#lake)).filter(
      (location) => !left.includes(location) && !location.endsWith('.metadata.json'),
    );
    if (more.length > 0) throw new Error(`an expiry left ${more.join(', ')}`);
  }

  async #disturb(step: MaintenanceStep): Promise<void> {
    const draw = this.#random();
    if (draw < 0.4) await this.#change('overwrite');
    else if (draw < 0.7) await this.#refs();
    // Before its commit the expiry holds the lease.
    else if (step !== 'planned' && step !== 'committed') await this.#move();
    else await this.#change('append');
  }

  async #expireWith(
    rules: SnapshotRules,
    at: (step: MaintenanceStep) => Promise<void>,
  ): Promise<ExpireReport | null> {
    const target = { table: await this.#lake.catalog.loadTable(TABLE), rules, policy: null };
    try {
      return await expireTables(this.#lake, [target], this.#lake.clock.now(), { at });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      // The lease of a killed process runs out.
      this.#lake.pass(30_000);
      return null;
    }
  }
}

/** What the rules of moves refuse at this moment is no failure of a random history. */
async function tolerating(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isKind(error, 'invalid-argument', 'conflict', 'stale-plan', 'not-found')) throw error;
  }
}

/** Runs one history of `steps` steps. Throws with the seed and what was done. */
export async function runHistory(seed: number, steps: number): Promise<void> {
  const history = await RandomHistory.open(seed);
  try {
    for (let step = 0; step < steps; step++) await history.step();
    const left = await history.settle();
    if (left.length > 0) throw new Error(`left over: ${left.join(', ')}`);
  } catch (cause) {
    throw new Error(`history of seed ${seed} failed: ${String(cause)}\n${history.log.join('\n')}`, { cause });
  } finally {
    await history.close();
  }
}
