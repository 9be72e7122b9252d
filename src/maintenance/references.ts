import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { ListedOther } from '../catalog-client/listed-table.ts';
import { isKind, LakeError } from '../errors.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { snapshotById } from '../iceberg/table-metadata.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { LakeContext } from '../table/context.ts';
import { readManifestContent, snapshotManifests } from '../table/manifests.ts';
import { tableName } from '../table/table.ts';
import { allStanding } from '../tiering/all-tables.ts';
import { readDropped } from '../tiering/dropped-table.ts';
import type { LocationMarks } from './location-marks.ts';

/** Manifests read at once. */
const READS = 4;
/** How often a table is read again that changed while it was read. */
const TRIES = 4;

/** Which tables the proof holds for. */
export interface Proof {
  /** Uuids of the tables whose references are cleared from the marks, all of them. */
  readonly tables: ReadonlySet<string>;
  /** Tables, and drops that can come back, that could not be read, by uuid: nothing that may be theirs may go. */
  readonly unreadable: ReadonlyMap<string, Unreadable>;
  /** Uuids of views and of dropped tables that can come back: their folders stay. Null where the catalog does not tell. */
  readonly reserved: ReadonlySet<string> | null;
  /** What was read of each table, so that only what came since needs to be read again. */
  readonly read: ReadonlyMap<string, ReadTable>;
}

/** A table that could not be read; `table` is null for a dropped one whose very metadata file is damaged. */
export interface Unreadable {
  readonly table: LoadedTable | null;
  readonly error: LakeError;
}

/** A state of a table: its metadata file, and the manifest lists of its snapshots. */
export interface ReadTable {
  readonly metadataLocation: string | undefined;
  readonly lists: ReadonlySet<string>;
}

/** True if all that a table names is known. */
export function isProved({ tables, unreadable }: Proof, uuid: string): boolean {
  return tables.has(uuid) && !unreadable.has(uuid);
}

export interface ProofOptions {
  /** Snapshots of a table, by its uuid, that a planned expiry would take away: what they name counts as unnamed. */
  readonly going?: ReadonlyMap<string, ReadonlySet<bigint>>;
  /** Manifest lists that were read before: what they name is cleared already. */
  readonly seen?: ReadonlySet<string>;
  progress?(table: string, done: number, total: number): void;
}

/**
 * Clears from `marks` all that any table of the catalog, dropped ones that can come back included, names as it is now: its metadata files, statistics, manifest
 * lists and manifests, and the live entries of those. Each manifest is read once. Entries of status DELETED name nothing.
 *
 * @throws LakeError `unavailable` where the catalog does not answer; a table that cannot be read comes back in `unreadable`
 */
export async function clearReferenced(
  context: Pick<LakeContext, 'catalog' | 'objects'>,
  marks: LocationMarks,
  options: ProofOptions = {},
): Promise<Proof> {
  const tables = new Set<string>();
  const read = new Map<string, ReadTable>();
  const unreadable = new Map<string, Unreadable>();
  let reserved: Set<string> | null = new Set();
  for await (const one of allStanding(context.catalog)) {
    if (one.kind === 'untold') reserved = null;
    else if (one.kind === 'other') {
      const uuid = one.listed['table-uuid'];
      reserved?.add(uuid);
      marks.clear(one.listed['metadata-location']);
      const outcome =
        one.listed.kind === 'dropped' ? await clearDropped(context.objects, marks, one.listed) : null;
      if (outcome !== null) unreadable.set(uuid, outcome);
    } else {
      const uuid = one.table.metadata['table-uuid'];
      const outcome = await clearTable(context, marks, one.table, options);
      if (outcome instanceof LakeError) unreadable.set(uuid, { table: one.table, error: outcome });
      else {
        unreadable.delete(uuid);
        tables.add(uuid);
        read.set(uuid, outcome);
      }
    }
  }
  return { tables, unreadable, read, reserved };
}

/** Clears what a dropped table would name if it came back; null where all of that is known. */
async function clearDropped(
  objects: ObjectStore,
  marks: LocationMarks,
  listed: ListedOther,
): Promise<Unreadable | null> {
  let table: LoadedTable | null = null;
  try {
    table = await readDropped(objects, listed);
    if (table !== null) await clearNamed(objects, marks, table);
    return null;
  } catch (error) {
    if (!(error instanceof LakeError) || isKind(error, 'unavailable')) throw error;
    return { table, error };
  }
}

/** Reads a table until it has stayed the same: another run may have expired what was about to be read. */
async function clearTable(
  context: Pick<LakeContext, 'catalog' | 'objects'>,
  marks: LocationMarks,
  first: LoadedTable,
  options: ProofOptions,
): Promise<ReadTable | LakeError> {
  let table = first;
  for (let attempt = 1; ; attempt++) {
    try {
      await clearNamed(context.objects, marks, table, options);
      return stateOf(table);
    } catch (error) {
      if (!(error instanceof LakeError)) throw error;
      const now = await context.catalog.loadTable(table.identifier).catch((cause: unknown) => {
        if (isKind(cause, 'not-found')) return null;
        throw cause;
      });
      // Dropped meanwhile: it names nothing any more, and nothing of it is known.
      if (now === null || now.metadataLocation === table.metadataLocation || attempt === TRIES) return error;
      table = now;
    }
  }
}

/** The state of a table as it was loaded. Pure. */
export function stateOf({ metadata, metadataLocation }: LoadedTable): ReadTable {
  return { metadataLocation, lists: new Set(metadata.snapshots.map((one) => one['manifest-list'])) };
}

/** Clears what one table's metadata names. Errors: `corrupt`, `not-found`, `unsupported` (v1 snapshots without lists). */
export async function clearNamed(
  objects: ObjectStore,
  marks: LocationMarks,
  table: LoadedTable,
  options: ProofOptions = {},
): Promise<void> {
  const { metadata, metadataLocation } = table;
  const going = options.going?.get(metadata['table-uuid']);
  const stays = (snapshot: Snapshot | undefined) =>
    snapshot === undefined || going?.has(snapshot['snapshot-id']) !== true;
  if (metadataLocation !== undefined) marks.clear(metadataLocation);
  for (const entry of metadata['metadata-log']) marks.clear(entry['metadata-file']);
  for (const file of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    if (stays(snapshotById(metadata, file['snapshot-id']))) marks.clear(file['statistics-path']);
  }
  const snapshots = metadata.snapshots.filter(stays);
  for (const snapshot of snapshots) marks.clear(snapshot['manifest-list']);
  const manifests = await manifestsOf(
    objects,
    snapshots.filter((snapshot) => options.seen?.has(snapshot['manifest-list']) !== true),
  );
  let done = 0;
  const failures: unknown[] = [];
  await inParallel([...manifests.values()], READS, async (manifest) => {
    marks.clear(manifest.manifestPath);
    try {
      for (const { path } of await liveLocations(objects, manifest)) marks.clear(path);
    } catch (error) {
      // The others are read all the same: what they name may lie in another table's folder.
      failures.push(error);
    }
    options.progress?.(tableName(table.identifier), ++done, manifests.size);
  });
  if (failures.length > 0) throw failures[0];
}

/** The distinct manifests of snapshots, by path. Errors: `corrupt`, `not-found`, `unsupported`. */
export async function manifestsOf(
  objects: ObjectStore,
  snapshots: readonly Snapshot[],
): Promise<Map<string, ManifestFile>> {
  const manifests = new Map<string, ManifestFile>();
  await inParallel(snapshots, READS, async (snapshot) => {
    refuseWithoutList(snapshot);
    for (const file of await snapshotManifests(objects, snapshot)) manifests.set(file.manifestPath, file);
  });
  return manifests;
}

/** Locations and sizes in bytes of the files that a manifest's live entries name. Errors: `corrupt`, `not-found`. */
export async function liveLocations(
  objects: ObjectStore,
  manifest: ManifestFile,
): Promise<{ readonly path: string; readonly bytes: number }[]> {
  // Deleted files alone; counts that a writer of v1 left out (-1) may be anything.
  if (manifest.addedFilesCount === 0 && manifest.existingFilesCount === 0) return [];
  const { entries } = await readManifestContent(objects, manifest, { metrics: false });
  return entries
    .filter((entry) => entry.status !== 'deleted')
    .map(({ dataFile }) => ({ path: dataFile.filePath, bytes: dataFile.fileSizeInBytes }));
}

function refuseWithoutList(snapshot: Snapshot): void {
  if (snapshot['manifest-list']) return;
  throw new LakeError('unsupported', `snapshot ${snapshot['snapshot-id']} has no manifest list (format v1)`, {
    hint: 'rewrite the table as format v2; until then nothing of it is deleted',
  });
}
