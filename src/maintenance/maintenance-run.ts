import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { ErrorKind, LakeError } from '../errors.ts';
import { gcEnabled } from '../iceberg/gc-enabled.ts';
import { tableName } from '../table/table.ts';
import { type LakePlaces, liesInLake } from '../tiering/movable.ts';
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

/**
 * Why files of a table are never deleted: by its own properties, or as they lie where this project does not keep its own (the
 * folder of a project was copied, and its catalog names the first one's files). Null if they may be. Pure.
 */
export function keptRefusal(places: LakePlaces, { identifier, metadata }: LoadedTable): RefusedTable | null {
  const table = tableName(identifier);
  if (!gcEnabled(metadata)) {
    const reason =
      'its property gc.enabled is false: its files may belong to other tables too, and none is deleted';
    return { table, kind: 'skipped', reason };
  }
  if (liesInLake(places, metadata.location)) return null;
  const where = `its location ${metadata.location} lies outside the tiers and the warehouse of lake.yaml`;
  const why = 'a project folder that was copied still names the files of the first one, and none is deleted';
  return { table, kind: 'unsupported', reason: `${where}: ${why}` };
}
