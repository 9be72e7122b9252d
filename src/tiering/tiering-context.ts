import type { Tier } from '../config.ts';
import type { Lake } from '../project/open-lake.ts';
import type { LakeContext } from '../table/context.ts';
import { Journal } from './journal.ts';
import { type FaultHook, NO_FAULTS } from './protocol.ts';

/** What the work on tiers needs: an open lake will do. */
export type TieredLake = Pick<Lake, 'catalog' | 'objects' | 'clock'> & {
  readonly config: Pick<Lake['config'], 'tiers' | 'timezone'> & {
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
  readonly faults?: FaultHook;
}

/** One run of the executor. */
export interface TieringRun extends LakeContext {
  readonly tiers: readonly Tier[];
  readonly memoryLimit: string | undefined;
  readonly journal: Journal;
  readonly faults: FaultHook;
  progress(progress: TierProgress): void;
}

/** A run on an open lake. */
export function tieringRun(lake: TieredLake, options: ApplyOptions = {}): TieringRun {
  return {
    catalog: lake.catalog,
    objects: lake.objects,
    clock: lake.clock,
    tiers: lake.config.tiers,
    memoryLimit: lake.config.engine.memoryLimit,
    journal: new Journal(lake.catalog),
    faults: options.faults ?? NO_FAULTS,
    progress: options.progress ?? (() => {}),
  };
}
