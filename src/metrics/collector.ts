import { setTimeout } from 'node:timers/promises';
import { LakeError } from '../errors.ts';
import type { Lake } from '../project/open-lake.ts';
import { LakeReader } from './lake-facts.ts';
import { LakeMetrics } from './lake-metrics.ts';
import { countOrphans } from './orphan-facts.ts';

export interface CollectorOptions {
  /** The policy's clock, ms since 1970. */
  policyNow(): number;
  /** How many tables are named. */
  readonly mostTables: number;
  /** Told what could not be read, once until it changes. */
  warn(message: string): void;
}

/** Reads a lake's metrics when told to. What could be read once is shown until it can be read again: its time stands beside it. */
export class MetricsCollector {
  readonly metrics: LakeMetrics;
  readonly #lake: Lake;
  readonly #reader: LakeReader;
  readonly #options: CollectorOptions;
  readonly #told = new Map<string, string>();

  constructor(lake: Lake, options: CollectorOptions) {
    this.#lake = lake;
    this.#options = options;
    this.#reader = new LakeReader(lake);
    this.metrics = new LakeMetrics(options.mostTables);
  }

  /** True if the lake was read. Errors: none that is a LakeError, which is told. */
  collect(): Promise<boolean> {
    return this.#telling('lake', async () => {
      const startedMs = this.#lake.clock.now();
      const facts = await this.#reader.read(this.#options.policyNow());
      const atMs = this.#lake.clock.now();
      this.metrics.show(facts, { atMs, seconds: (atMs - startedMs) / 1000 });
      this.#tell('problems', [...facts.problems.values()].flat().join('\n'));
    });
  }

  /** Lists the folders of all tables: far more work than `collect`. */
  countOrphans(): Promise<boolean> {
    return this.#telling('orphans', async () => this.metrics.showOrphans(await countOrphans(this.#lake)));
  }

  async #telling(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#tell(what, '');
      return true;
    } catch (error) {
      if (!(error instanceof LakeError)) throw error;
      this.#tell(what, error.where === undefined ? error.message : `${error.where}: ${error.message}`);
      return false;
    }
  }

  #tell(what: string, message: string): void {
    if (message !== '' && this.#told.get(what) !== message) this.#options.warn(message);
    this.#told.set(what, message);
  }
}

/** Does `work` at once and again `everyMs` after each end, until `stopped` is aborted. */
export async function repeatUntil(
  stopped: AbortSignal,
  everyMs: number,
  work: () => Promise<unknown>,
): Promise<void> {
  while (!stopped.aborted) {
    await work();
    // A pause that is cut off leaves no timer that would keep the process alive.
    await setTimeout(everyMs, undefined, { signal: stopped }).catch(() => {});
  }
}
