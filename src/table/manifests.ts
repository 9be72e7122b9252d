import { LakeError } from '../errors.ts';
import { inheritEntry, readManifest } from '../iceberg/manifest.ts';
import { type ManifestFile, readManifestList } from '../iceberg/manifest-list.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** An entry whose snapshot id and sequence numbers are known. */
export type LoadedEntry = ReturnType<typeof inheritEntry>;

/** An entry with its inherited values, the spec of its manifest and the manifest it stands in. */
export interface SnapshotEntry {
  readonly entry: LoadedEntry;
  readonly spec: PartitionSpec;
  readonly manifest: ManifestFile;
}

/** The manifests of a snapshot, in the order of its list. Errors: `not-found`, `corrupt`. */
export async function snapshotManifests(objects: ObjectStore, snapshot: Snapshot): Promise<ManifestFile[]> {
  const location = snapshot['manifest-list'];
  return named(location, async () => [...readManifestList(await objects.get(location))]);
}

/** The entries of one manifest, deleted ones included, in order. Errors: `not-found`, `corrupt`. */
export async function manifestEntries(
  objects: ObjectStore,
  manifest: ManifestFile,
): Promise<SnapshotEntry[]> {
  return named(manifest.manifestPath, async () => {
    const { spec, entries } = readManifest(await objects.get(manifest.manifestPath));
    return [...entries].map((entry) => ({ entry: inheritEntry(entry, manifest), spec, manifest }));
  });
}

/** The live entries of a snapshot's data files, delete files or both. */
export async function* liveEntries(
  objects: ObjectStore,
  snapshot: Snapshot,
  content?: 'data' | 'deletes',
): AsyncIterable<SnapshotEntry> {
  for (const manifest of await snapshotManifests(objects, snapshot)) {
    if (content !== undefined && manifest.content !== content) continue;
    for (const found of await manifestEntries(objects, manifest)) {
      if (found.entry.status !== 'deleted') yield found;
    }
  }
}

/** Says which object was damaged. */
async function named<T>(location: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof LakeError) || error.kind !== 'corrupt' || error.where !== undefined) throw error;
    throw new LakeError('corrupt', error.message, {
      where: location,
      cause: error,
      hint: error.hint ?? 'Restore the object from a backup.',
    });
  }
}
