import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { LocationMarks } from './location-marks.ts';
import { liveLocations, manifestsOf } from './references.ts';
import type { Spool } from './spool.ts';

/** An object that may go if nothing names it, and its size in bytes. */
export interface Candidate {
  readonly location: string;
  readonly bytes: number;
  /** The table that it was expired from, as a position in the run's list. */
  readonly of: number;
}

/** What an expiry took out of a table's metadata. */
export interface RemovedSnapshots {
  readonly snapshots: readonly Snapshot[];
  /** The snapshots that stay. */
  readonly kept: readonly Snapshot[];
  readonly statistics: readonly { readonly location: string; readonly bytes: number }[];
}

/** Splits a table's metadata by the ids of the snapshots that go. Pure. */
export function removedFrom(metadata: TableMetadata, ids: ReadonlySet<bigint>): RemovedSnapshots {
  const statistics = [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])];
  return {
    snapshots: metadata.snapshots.filter((one) => ids.has(one['snapshot-id'])),
    kept: metadata.snapshots.filter((one) => !ids.has(one['snapshot-id'])),
    statistics: statistics
      .filter((one) => ids.has(one['snapshot-id']))
      .map((one) => ({ location: one['statistics-path'], bytes: one['file-size-in-bytes'] })),
  };
}

/**
 * Marks and spools what the removed snapshots reach and the kept ones of the same table do not share as whole manifests.
 * Files come before the manifests that name them, and those before the lists, so that a crash among the
 * deletions leaves what tells of the rest.
 *
 * @throws LakeError `corrupt`, `not-found` (a manifest or list cannot be read), those of the store
 */
export async function collectCandidates(
  objects: ObjectStore,
  removed: RemovedSnapshots,
  of: number,
  { marks, spool }: { readonly marks: LocationMarks; readonly spool: Spool<Candidate> },
): Promise<void> {
  const add = async (location: string, bytes: number) => {
    if (marks.add(location)) await spool.add({ location, bytes, of });
  };
  const lists = new Set(removed.kept.map((one) => one['manifest-list']));
  const gone = removed.snapshots.filter((one) => one['manifest-list'] && !lists.has(one['manifest-list']));
  const shared = await manifestsOf(objects, removed.kept);
  const own: ManifestFile[] = [];
  for (const manifest of (await manifestsOf(objects, gone)).values()) {
    if (!shared.has(manifest.manifestPath)) own.push(manifest);
  }
  for (const manifest of own) {
    for (const { path, bytes } of await liveLocations(objects, manifest)) await add(path, bytes);
  }
  for (const { location, bytes } of removed.statistics) await add(location, bytes);
  for (const manifest of own) await add(manifest.manifestPath, manifest.manifestLength);
  for (const { 'manifest-list': location } of gone) await add(location, (await objects.head(location)).size);
}
