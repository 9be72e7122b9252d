import type { LoadedTable } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readManifestContent, snapshotManifests, withKnownCounts } from '../table/manifests.ts';

/** All that a table's retained snapshots list. */
export interface TableHistory {
  readonly metadata: TableMetadata;
  readonly snapshots: readonly { readonly snapshot: Snapshot; readonly manifests: readonly ManifestFile[] }[];
}

/** A data file that some retained snapshot reads, with the specification of its manifest. */
export interface LiveFile {
  readonly file: DataFile;
  readonly spec: PartitionSpec;
  readonly schema: Schema;
  /** Sequence number of the data, and of the snapshot that added the file; both stay when it moves. */
  readonly sequenceNumber: number;
  readonly fileSequenceNumber: number;
  /** The snapshot that added the file; it may be expired. */
  readonly snapshotId: bigint;
}

/**
 * Reads the manifest lists of all retained snapshots. Errors: `not-found`, `corrupt`, `unsupported` (v1 without lists).
 *
 * @param known the history as it was before: its lists are not read again, as a list never changes
 */
export async function readHistory(
  objects: ObjectStore,
  metadata: TableMetadata,
  known?: TableHistory,
): Promise<TableHistory> {
  const lists = new Map(known?.snapshots.map((one) => [one.snapshot['manifest-list'], one.manifests]));
  const snapshots = [];
  for (const snapshot of metadata.snapshots) {
    const manifests = lists.get(snapshot['manifest-list']) ?? (await readList(objects, snapshot));
    snapshots.push({ snapshot, manifests });
  }
  return { metadata, snapshots };
}

/** The history of a loaded table; see `readHistory`. */
export function historyOf(
  objects: ObjectStore,
  table: LoadedTable,
  known?: TableHistory,
): Promise<TableHistory> {
  return readHistory(objects, table.metadata, known);
}

/** Each manifest of the history once, by path, in the order in which snapshots list them. */
export function distinctManifests(history: TableHistory): ManifestFile[] {
  const byPath = new Map<string, ManifestFile>();
  for (const { manifests } of history.snapshots) {
    for (const file of manifests) if (!byPath.has(file.manifestPath)) byPath.set(file.manifestPath, file);
  }
  return [...byPath.values()];
}

/** The data files that any retained snapshot reads, by path. */
export async function liveDataFiles(
  objects: ObjectStore,
  history: TableHistory,
): Promise<Map<string, LiveFile>> {
  const live = new Map<string, LiveFile>();
  for (const manifest of distinctManifests(history)) {
    if (manifest.content !== 'data' || !hasLiveFiles(manifest)) continue;
    const { entries, spec, schema } = await readManifestContent(objects, manifest);
    for (const { status, dataFile, ...ids } of entries) {
      if (status !== 'deleted') live.set(dataFile.filePath, { file: dataFile, spec, schema, ...ids });
    }
  }
  return live;
}

/** False where a manifest lists deleted files alone. */
export function hasLiveFiles(manifest: ManifestFile): boolean {
  return manifest.addedFilesCount + manifest.existingFilesCount > 0;
}

async function readList(objects: ObjectStore, snapshot: Snapshot): Promise<ManifestFile[]> {
  const location = snapshot['manifest-list'];
  if (!location) {
    const id = String(snapshot['snapshot-id']);
    throw new LakeError('unsupported', `snapshot ${id} has no manifest list (format v1)`, {
      hint: 'expire that snapshot, or rewrite the table as format v2',
    });
  }
  const manifests = await snapshotManifests(objects, snapshot);
  return Promise.all(manifests.map((file) => withKnownCounts(objects, file)));
}
