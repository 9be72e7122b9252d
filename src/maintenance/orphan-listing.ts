import { isKind } from '../errors.ts';
import type { ObjectHead } from '../storage/object-store.ts';
import type { LocationMarks } from './location-marks.ts';
import type { MaintenanceRun } from './maintenance-run.ts';
import type { Spool } from './spool.ts';
import { type PlaceOwners, placeKey, upwards } from './table-places.ts';

/** An object that is old enough, and whose it seems to be. */
export interface ListedObject {
  readonly location: string;
  readonly bytes: number;
  /** The uuid of the table, or the folder of a table that is not there. */
  readonly of: string;
}

/** A folder below a tier that belongs to no table. */
export interface StrayFolder {
  readonly location: string;
  /** The uuid in its name; null if it has none, so that it cannot be told what it is. */
  readonly uuid: string | null;
  objects: number;
  bytes: number;
  newestMs: number;
}

export interface OrphanListing {
  /** Objects seen below the places of each table, by uuid. */
  readonly listed: ReadonlyMap<string, number>;
  readonly strays: ReadonlyMap<string, StrayFolder>;
  /** The time that ages count to, ms: by the clock here or by a store's, whichever is behind. */
  readonly nowMs: number;
}

export interface ListingInput {
  /** Folders to list, as they are spelled; none lies in another. */
  readonly roots: readonly string[];
  readonly owners: PlaceOwners;
  /** Age from which an object counts, ms, by the uuid of its table; absent for tables that are left alone. */
  readonly olderThanMs: ReadonlyMap<string, number>;
  readonly marks: LocationMarks;
  readonly spool: Spool<ListedObject>;
  readonly dryRun?: boolean;
}

const UUID_SUFFIX = /-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Lists folders page by page; marks and spools what is old enough by the store's own times. */
export async function listOld(run: MaintenanceRun, input: ListingInput): Promise<OrphanListing> {
  const { owners, olderThanMs, marks, spool } = input;
  const listed = new Map<string, number>();
  const strays = new Map<string, StrayFolder>();
  let nowMs = run.clock.now();
  let seen = 0;
  for (const root of input.roots) {
    let isAsked = false;
    for await (const page of run.objects.list(`${root}/`)) {
      if (!isAsked) nowMs = Math.min(nowMs, await storeNow(run, root, input.dryRun === true));
      isAsked = true;
      for (const head of page) {
        const owner = owners.ownerOf(head.location);
        if (owner === undefined) {
          const stray = countStray(strays, root, head);
          if (stray.uuid === null) continue;
          if (marks.add(head.location)) await spool.add(listedObject(head, stray.location));
          continue;
        }
        const minAgeMs = olderThanMs.get(owner);
        if (minAgeMs === undefined) continue;
        listed.set(owner, (listed.get(owner) ?? 0) + 1);
        if (nowMs - head.lastModifiedMs < minAgeMs) continue;
        if (marks.add(head.location)) await spool.add(listedObject(head, owner));
      }
      seen += page.length;
      run.progress({ table: root, step: 'listing', done: seen, total: seen });
    }
  }
  return { listed, strays, nowMs };
}

/**
 * What the clock of the store below `root` says: that of an object put there just now. Objects' ages are by that clock, and a clock here
 * that runs ahead of it would make files of a running write old.
 */
async function storeNow(run: MaintenanceRun, root: string, dryRun: boolean): Promise<number> {
  const probe = `${root}/lake-orphans-${run.clock.uuid()}.lake-1-1.tmp`;
  try {
    await run.objects.put(probe, new Uint8Array(), { if: 'absent' });
    const { lastModifiedMs } = await run.objects.head(probe);
    await run.objects.delete([probe]);
    return lastModifiedMs;
  } catch (error) {
    // Who may only read is told what would go by the clock here.
    if (dryRun && isKind(error, 'unavailable', 'forbidden')) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function listedObject({ location, size }: ObjectHead, of: string): ListedObject {
  return { location, bytes: size, of };
}

function countStray(strays: Map<string, StrayFolder>, root: string, head: ObjectHead): StrayFolder {
  const [location, uuid] = strayFolder(root, head.location);
  const stray = strays.get(location) ?? { location, uuid, objects: 0, bytes: 0, newestMs: 0 };
  stray.objects += 1;
  stray.bytes += head.size;
  stray.newestMs = Math.max(stray.newestMs, head.lastModifiedMs);
  strays.set(location, stray);
  return stray;
}

/** The outermost folder below the root whose name ends in a uuid, as tables' folders do; else the first folder. */
function strayFolder(root: string, location: string): [folder: string, uuid: string | null] {
  const segments = location.slice(root.length + 1).split('/');
  const folders = segments.slice(0, -1);
  const at = folders.findIndex((segment) => UUID_SUFFIX.test(segment));
  if (at < 0) return [[root, ...folders.slice(0, 1)].join('/'), null];
  return [[root, ...folders.slice(0, at + 1)].join('/'), UUID_SUFFIX.exec(folders[at] ?? '')?.[1] ?? null];
}

/** The places without those that lie in another. */
export function outermost(places: Iterable<string>): string[] {
  const byKey = new Map([...places].map((place) => [placeKey(place), place]));
  return [...byKey]
    .filter(([key]) => [...upwards(key)].slice(1).every((above) => !byKey.has(above)))
    .map(([, place]) => place);
}
