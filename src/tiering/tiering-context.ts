import type { Tier } from '../config.ts';
import type { Lake } from '../project/open-lake.ts';
import type { LakeContext } from '../table/context.ts';
import { Journal } from './journal.ts';
import { type FaultHook, NO_FAULTS } from './protocol.ts';

/** What the work on tiers needs: an open lake will do. */
export type TieredLake = Pick<Lake, 'catalog' | 'objects' | 'clock'> & {
  readonly config: Pick<Lake['config'], 'tiers' | 'timezone'> & {
    readonly warehouse?: string;
    readonly engine: Pick<Lake['config']['engine'], 'memoryLimit'>;
  };
};

/** How far a relocation has come, for a progress display. */
export interface TierProgress {
  readonly table: string;
  readonly step: string;
  readonly done: number;
  readonly total: number;
}

export interface ApplyOptions {
  progress?(progress: TierProgress): void;
  /** Told, in a sentence, of what went wrong beside the work and is made up for by a later run. */
  warn?(message: string): void;
  readonly faults?: FaultHook;
}

/** One run of the executor. */
export interface TieringRun extends LakeContext {
  readonly tiers: readonly Tier[];
  readonly warehouse?: string;
  readonly memoryLimit: string | undefined;
  readonly journal: Journal;
  readonly faults: FaultHook;
  progress(progress: TierProgress): void;
  warn(message: string): void;
}

/** A run on an open lake. */
export function tieringRun(lake: TieredLake, options: ApplyOptions = {}): TieringRun {
  return {
    catalog: lake.catalog,
    objects: lake.objects,
    clock: lake.clock,
    tiers: lake.config.tiers,
    ...(lake.config.warehouse === undefined ? {} : { warehouse: lake.config.warehouse }),
    memoryLimit: lake.config.engine.memoryLimit,
    journal: new Journal(lake.catalog),
    faults: options.faults ?? NO_FAULTS,
    progress: options.progress ?? (() => {}),
    warn: options.warn ?? (() => {}),
  };
}
