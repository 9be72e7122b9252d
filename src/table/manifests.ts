import { isKind, LakeError } from '../errors.ts';
import type { InheritedEntry, ManifestReading } from '../iceberg/manifest.ts';
import { readInheritedManifest } from '../iceberg/manifest-content.ts';
import { type ManifestFile, readManifestList } from '../iceberg/manifest-list.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** An entry whose snapshot id and sequence numbers are known. */
export type LoadedEntry = InheritedEntry;

/** A manifest's entries with nothing left to inherit, and the schema and spec it was written with. */
export interface ManifestContent {
  readonly file: ManifestFile;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly entries: readonly LoadedEntry[];
}

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

/** Reads one manifest, deleted entries included, in order. Errors: `not-found`, `corrupt`. */
export async function readManifestContent(
  objects: ObjectStore,
  file: ManifestFile,
  reading: ManifestReading = {},
): Promise<ManifestContent> {
  return named(file.manifestPath, async () => {
    const bytes = await objects.get(file.manifestPath);
    const { schema, spec, entries } = readInheritedManifest(bytes, file, reading);
    return { file, schema, spec, entries: [...entries] };
  });
}

/** A manifest as a list of v2 may name it: lists of v1 may lack the counts, which are made up for by reading it. Errors: `not-found`, `corrupt`. */
export async function withKnownCounts(objects: ObjectStore, file: ManifestFile): Promise<ManifestFile> {
  const { addedFilesCount, existingFilesCount, deletedFilesCount, ...rest } = file;
  const rows = [file.addedRowsCount, file.existingRowsCount, file.deletedRowsCount];
  if ([addedFilesCount, existingFilesCount, deletedFilesCount, ...rows].every((count) => count >= 0))
    return file;
  const { entries } = await readManifestContent(objects, file);
  const of = (status: LoadedEntry['status']) => entries.filter((entry) => entry.status === status);
  const rowsOf = (status: LoadedEntry['status']) =>
    of(status).reduce((sum, entry) => sum + entry.dataFile.recordCount, 0);
  return {
    ...rest,
    addedFilesCount: of('added').length,
    existingFilesCount: of('existing').length,
    deletedFilesCount: of('deleted').length,
    addedRowsCount: rowsOf('added'),
    existingRowsCount: rowsOf('existing'),
    deletedRowsCount: rowsOf('deleted'),
  };
}

/** The entries of one manifest, deleted ones included, in order. Errors: `not-found`, `corrupt`. */
export async function manifestEntries(
  objects: ObjectStore,
  manifest: ManifestFile,
  reading: ManifestReading = {},
): Promise<SnapshotEntry[]> {
  const { spec, entries } = await readManifestContent(objects, manifest, reading);
  return entries.map((entry) => ({ entry, spec, manifest }));
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
    if (!isKind(error, 'corrupt', 'unsupported') || error.where?.includes(location)) throw error;
    throw new LakeError(error.kind, error.message, {
      where: error.where === undefined ? location : `${location}: ${error.where}`,
      cause: error,
      hint: error.hint ?? 'Restore the object from a backup.',
    });
  }
}
