import { isKind, LakeError } from '../../src/errors.ts';
import type { ManifestReading } from '../../src/iceberg/manifest.ts';
import { type InheritedManifest, readInheritedManifest } from '../../src/iceberg/manifest-content.ts';
import { type ManifestFile, readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** The objects that a plan reads. */
export type PlannedObjects = Pick<ObjectStore, 'get'>;

/** The manifests of a snapshot, in the order of its list. Errors: `not-found`, `corrupt`. */
export async function listedManifests(objects: PlannedObjects, snapshot: Snapshot): Promise<ManifestFile[]> {
  const location = snapshot['manifest-list'];
  const bytes = await present(objects, location);
  return Array.from(readManifestList(bytes));
}

/** Errors: `not-found`, `corrupt`, the latter also while its entries are read. */
export async function openManifest(
  objects: PlannedObjects,
  file: ManifestFile,
  reading: ManifestReading,
): Promise<InheritedManifest> {
  return readInheritedManifest(await present(objects, file.manifestPath), file, reading);
}

async function present(objects: PlannedObjects, location: string): Promise<Uint8Array> {
  try {
    return await objects.get(location);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw new LakeError('not-found', `Failed to open input stream for file: ${location}: it is missing`, {
      where: location,
      hint: 'Plan the scan anew: the snapshot may have expired. If that does not help, bring the file back from a backup.',
      cause: error,
    });
  }
}
