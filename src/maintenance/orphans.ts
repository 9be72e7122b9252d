import type { LoadedTable } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { tableName } from '../table/table.ts';
import type { TieredLake } from '../tiering/tiering-context.ts';
import { LocationMarks } from './location-marks.ts';
import {
  keptRefusal,
  type MaintenanceOptions,
  type MaintenanceRun,
  maintenanceRun,
  type RefusedTable,
} from './maintenance-run.ts';
import { type DroppedFolder, deleteOrphans, type OrphansOf } from './orphan-deletion.ts';
import { type ListedObject, listOld, outermost } from './orphan-listing.ts';
import { placedTables } from './placed-tables.ts';
import { Spool } from './spool.ts';
import { type PlacedTable, PlaceOwners, placeKey, upwards } from './table-places.ts';

/** No younger object is touched: it may be part of a write that is not committed yet (DESIGN 4.3). */
export const LEAST_ORPHAN_AGE_MS = 86_400_000;

/** How old unreferenced objects become where neither the policy nor the caller says, ms. */
export const DEFAULT_ORPHAN_AGE_MS = 3 * LEAST_ORPHAN_AGE_MS;

export interface OrphanOptions extends MaintenanceOptions {
  /** Names of tables; without them all tables, and what lies below the tiers and belongs to none. */
  readonly tables?: readonly string[];
  /** From which age on an unreferenced object of a table counts as an orphan, ms. At least a day. */
  olderThanMs(table: LoadedTable): number;
  /** The same for folders of tables that are not there. */
  readonly droppedOlderThanMs: number;
  /** Deletes folders of tables that are not there, too. */
  readonly dropped?: boolean;
  /** Lists and judges only. */
  readonly dryRun?: boolean;
}

export interface OrphansReport {
  readonly tables: readonly OrphansOf[];
  /** Folders below the tiers that belong to no table; empty where tables were named. */
  readonly dropped: readonly DroppedFolder[];
  readonly refused: readonly RefusedTable[];
}

/**
 * Finds, and deletes, objects in tables' folders that nothing names: no metadata of any table as it is now, no running
 * move, no ledger. The listing comes first and the metadata after it, so that what is committed meanwhile is seen;
 * each batch is looked at once more before it goes. Tables that cannot be judged come back in `refused`.
 *
 * @throws LakeError `usage` for an age below a day, `not-found` for an unknown table, `unavailable` (nothing more is deleted)
 */
export async function removeOrphans(lake: TieredLake, options: OrphanOptions): Promise<OrphansReport> {
  const run = maintenanceRun(lake, options);
  refuseYoung(options.droppedOlderThanMs);
  const every = await placedTables(run);
  const owners = new PlaceOwners(every);
  const chosen = chosenOf(every, options.tables);
  const { judged, refused } = judgeable(run, chosen, every, owners);
  const olderThanMs = new Map<string, number>();
  for (const { table } of judged) olderThanMs.set(table.metadata['table-uuid'], options.olderThanMs(table));
  for (const age of olderThanMs.values()) refuseYoung(age);
  const marks = new LocationMarks();
  const spool = await Spool.open<ListedObject>();
  try {
    const places = judged.flatMap((one) => [...one.places.values()]);
    const tiers = options.tables === undefined ? run.tiers.map((tier) => tier.location) : [];
    const roots = outermost([...places, ...tiers]);
    const dryRun = options.dryRun === true;
    const listing = await listOld(run, { roots, owners, olderThanMs, marks, spool, dryRun });
    await run.at('listed');
    const found = await deleteOrphans(run, { ...options, judged, listing, marks, spool });
    return { tables: found.tables, dropped: found.dropped, refused: [...refused, ...found.refused] };
  } finally {
    await spool.close();
  }
}

function refuseYoung(ageMs: number): void {
  if (ageMs >= LEAST_ORPHAN_AGE_MS) return;
  throw new LakeError('usage', 'objects younger than 24 hours are never taken for orphans', {
    hint: 'a write that is not committed yet would lose its files; name an age of 24h or more; nothing was deleted',
  });
}

function chosenOf(every: readonly PlacedTable[], names: readonly string[] | undefined): PlacedTable[] {
  if (names === undefined) return [...every];
  const byName = new Map(every.map((one) => [tableName(one.table.identifier), one]));
  return [...new Set(names)].map((name) => {
    const found = byName.get(name);
    if (found !== undefined) return found;
    throw new LakeError('not-found', `there is no table ${name}`, {
      hint: 'list them with: lake table list',
    });
  });
}

function judgeable(
  run: MaintenanceRun,
  chosen: readonly PlacedTable[],
  every: readonly PlacedTable[],
  owners: PlaceOwners,
) {
  const names = new Map(
    every.map(({ table }) => [table.metadata['table-uuid'], tableName(table.identifier)]),
  );
  const tiersAbove = new Set(run.tiers.flatMap((tier) => [...upwards(placeKey(tier.location))]));
  const judged: PlacedTable[] = [];
  const refused: RefusedTable[] = [];
  for (const one of chosen) {
    const refusal = keptRefusal(run, one.table) ?? sharedRefusal(one, owners, names, tiersAbove);
    if (refusal === null) judged.push(one);
    else refused.push(refusal);
  }
  return { judged, refused };
}

function sharedRefusal(
  one: PlacedTable,
  owners: PlaceOwners,
  names: ReadonlyMap<string, string>,
  tiersAbove: ReadonlySet<string>,
): RefusedTable | null {
  const refuse = (why: string): RefusedTable => ({
    table: tableName(one.table.identifier),
    kind: 'unsupported',
    reason: `${why}; whose an unreferenced object is cannot be told there, and none was deleted`,
  });
  for (const [uuid, place] of owners.sharing(one)) {
    return refuse(`its folder ${place} overlaps with one of ${names.get(uuid) ?? uuid}`);
  }
  const tier = [...one.places].find(([key]) => tiersAbove.has(key));
  return tier === undefined ? null : refuse(`its folder ${tier[1]} holds a whole tier`);
}
