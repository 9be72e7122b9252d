import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { ErrorKind, LakeError } from '../errors.ts';
import { tableName } from '../table/table.ts';
import { collects } from '../tiering/movable.ts';
import {
  type TieredLake,
  type TieringRun,
  type TierProgress,
  tieringRun,
} from '../tiering/tiering-context.ts';

/**
 * The order that safety rests on. Expiry: commit, then read what the catalog's tables name as they are now, then delete.
 * Orphans: list, then read what they name, then look again, then delete. A crash leaves files too many, never too few.
 */
const MAINTENANCE_STEPS = ['planned', 'committed', 'collected', 'listed', 'proved', 'deleting'] as const;

/** A point that the work has just reached. */
export type MaintenanceStep = (typeof MAINTENANCE_STEPS)[number];

export interface MaintenanceOptions {
  progress?(progress: TierProgress): void;
  /** Told of each point that is reached; tests let others commit, or a crash happen, there. */
  at?(step: MaintenanceStep, table?: string): Promise<void>;
}

export interface MaintenanceRun extends TieringRun {
  at(step: MaintenanceStep, table?: string): Promise<void>;
}

/** A table that was left alone, and why. */
export interface RefusedTable {
  readonly table: string;
  /** `skipped`: by the table's own wish, which is no failure. */
  readonly kind: ErrorKind | 'skipped';
  readonly reason: string;
}

/** A run of maintenance on an open lake. */
export function maintenanceRun(lake: TieredLake, options: MaintenanceOptions): MaintenanceRun {
  return { ...tieringRun(lake, options), at: options.at ?? (async () => {}) };
}

export function refusedBy(table: string, error: LakeError): RefusedTable {
  const where = error.where === undefined || error.message.includes(error.where) ? '' : ` (${error.where})`;
  const hint = error.hint === undefined ? '' : `; ${error.hint}`;
  return { table, kind: error.kind, reason: `${error.message}${where}${hint}` };
}

/** Why files of a table are never deleted, by its own properties; null if they may be. */
export function gcRefusal({ identifier, metadata }: LoadedTable): RefusedTable | null {
  if (collects(metadata)) return null;
  return {
    table: tableName(identifier),
    kind: 'skipped',
    reason: 'its property gc.enabled is false: its files may belong to other tables too, and none is deleted',
  };
}
