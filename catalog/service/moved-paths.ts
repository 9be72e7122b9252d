import { isKind, LakeError } from '../../src/errors.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import { type ManifestFile, readManifestList } from '../../src/iceberg/manifest-list.ts';
import { DELETE_FILE_PATH_ID } from '../../src/iceberg/position-delete.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { Fence } from '../store/catalog-store.ts';
import type { CatalogContext } from './context.ts';
import { checkFences } from './fence-guard.ts';
import { deletedPaths } from './position-delete-paths.ts';

const FILES_PER_QUERY = 1000;

/**
 * What a table that was moved between tiers demands of a commit beyond the spec. A writer that started before the move knows the
 * old paths: whatever it adds must not name them, or rows would be lost or come back once the old objects are deleted. A table
 * created anew (`base` null) under the uuid of a moved one is held to the same.
 *
 * @param unpublished see `checkFences`
 * @returns the fences that the commit itself puts on branches (a rollback), to be recorded with the pointer
 * Errors: `conflict` (the writer refreshes and derives anew), `invalid-argument` (a branch set back before its fence).
 */
export async function checkAgainstMoves(
  context: CatalogContext,
  base: TableMetadata | null,
  next: TableMetadata,
  updates: readonly TableUpdate[],
  unpublished: readonly Fence[] = [],
): Promise<readonly Fence[]> {
  const uuid = next['table-uuid'];
  if (!(await context.store.hasMoved(uuid))) return [];
  const retained = new Map(base?.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  const inspected = new Set<string>();
  for (const update of updates) {
    if (update.action !== 'add-snapshot') continue;
    await checkSnapshot(context, uuid, { snapshot: update.snapshot, retained, inspected });
  }
  return checkFences(context, base, next, unpublished);
}

interface AddedSnapshot {
  readonly snapshot: Snapshot;
  /** The base's snapshots by id: the move went over all that they list. */
  readonly retained: ReadonlyMap<bigint, Snapshot>;
  /** Manifests that this commit's snapshots list and that have been looked into. */
  readonly inspected: Set<string>;
}

async function checkSnapshot(
  context: CatalogContext,
  tableUuid: string,
  added: AddedSnapshot,
): Promise<void> {
  const { snapshot, inspected } = added;
  const manifests = await manifestsOf(context, snapshot);
  const paths = manifests.map((manifest) => manifest.manifestPath);
  await refuseRetired(context, tableUuid, [snapshot['manifest-list'], ...paths]);
  const known = await retainedManifests(context, manifests, added);
  // A fence lists what moved as deleted. Anybody else who deletes an old path leaves the moved file's rows in the table.
  const deleter = isFence(snapshot, manifests) ? null : snapshot['snapshot-id'];
  for (const manifest of manifests) {
    const path = manifest.manifestPath;
    if (known.has(path) || inspected.has(path)) continue;
    await checkManifest(context, tableUuid, manifest, deleter);
    inspected.add(path);
  }
}

function isFence(snapshot: Snapshot, manifests: readonly ManifestFile[]): boolean {
  const id = snapshot['snapshot-id'];
  const lists = ({ addedFilesCount: added, existingFilesCount: existing }: ManifestFile) =>
    added + existing > 0;
  const own = manifests.filter((manifest) => manifest.addedSnapshotId === id);
  return snapshot.summary.operation === 'replace' && !own.some(lists);
}

/** The manifests of an added snapshot. Errors: `invalid-argument` if its list is not there. */
async function manifestsOf(context: CatalogContext, snapshot: Snapshot): Promise<ManifestFile[]> {
  return [...readManifestList(await written(context, snapshot['manifest-list'], 'manifest list'))];
}

async function written(context: CatalogContext, location: string, what: string): Promise<Uint8Array> {
  try {
    return await context.objects.get(location);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw new LakeError('invalid-argument', `There is no ${what} ${location}`, {
      where: location,
      hint: 'Nothing was committed: write all files before the commit.',
      cause: error,
    });
  }
}

/**
 * The paths of those of `manifests` that a retained snapshot of the base lists. A manifest stands in the list of the snapshot that
 * added it, and in the parent's if it was carried on; one found in neither is inspected, whatever it is.
 */
async function retainedManifests(
  context: CatalogContext,
  manifests: readonly ManifestFile[],
  { snapshot, retained }: AddedSnapshot,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  const adders = new Set(manifests.map((manifest) => manifest.addedSnapshotId));
  const parent = snapshot['parent-snapshot-id'];
  if (parent !== undefined) adders.add(parent);
  for (const id of adders) {
    const list = retained.get(id)?.['manifest-list'];
    if (list === undefined || list === '') continue;
    for (const manifest of await listedBy(context, list)) known.add(manifest.manifestPath);
  }
  return known;
}

/** An old list that is gone vouches for nothing: its manifests are inspected like new ones. */
async function listedBy(context: CatalogContext, list: string): Promise<Iterable<ManifestFile>> {
  try {
    return readManifestList(await context.objects.get(list));
  } catch (error) {
    if (isKind(error, 'not-found')) return [];
    throw error;
  }
}

/** `deleter`: the snapshot whose deletions are checked too; null for none. */
async function checkManifest(
  context: CatalogContext,
  tableUuid: string,
  manifest: ManifestFile,
  deleter: bigint | null,
): Promise<void> {
  let files: DataFile[] = [];
  for (const entry of readManifest(await written(context, manifest.manifestPath, 'manifest')).entries) {
    const { dataFile, status, snapshotId } = entry;
    if (status === 'deleted' && (deleter === null || (snapshotId ?? manifest.addedSnapshotId) !== deleter)) {
      continue;
    }
    // Of a deleted delete file only the path counts: what it names is deleted no more.
    files.push(status === 'deleted' ? { ...dataFile, content: 'data' } : dataFile);
    if (files.length < FILES_PER_QUERY) continue;
    await checkFiles(context, tableUuid, files);
    files = [];
  }
  await checkFiles(context, tableUuid, files);
}

async function checkFiles(
  context: CatalogContext,
  tableUuid: string,
  files: readonly DataFile[],
): Promise<void> {
  const named = files.flatMap((file) =>
    file.content === 'data' || file.referencedDataFile === undefined
      ? [file.filePath]
      : [file.filePath, file.referencedDataFile],
  );
  await refuseRetired(context, tableUuid, named);
  for (const file of files) {
    if (file.content !== 'position-deletes' || file.referencedDataFile !== undefined) continue;
    if (!(await boundsMeetRetired(context, tableUuid, file))) continue;
    await refuseRetired(context, tableUuid, await deletedPaths(context.objects, file));
  }
}

/** Bounds without a retired path between them spare reading the file. */
async function boundsMeetRetired(
  context: CatalogContext,
  tableUuid: string,
  file: DataFile,
): Promise<boolean> {
  const lower = file.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = file.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (lower === undefined || upper === undefined) return true;
  const text = new TextDecoder();
  const between = await context.store.retiredBetween(tableUuid, text.decode(lower), text.decode(upper));
  return between.length > 0;
}

async function refuseRetired(
  context: CatalogContext,
  tableUuid: string,
  locations: readonly string[],
): Promise<void> {
  if (locations.length === 0) return;
  const [first] = await context.store.retiredAmong(tableUuid, locations);
  if (first === undefined) return;
  throw new LakeError('conflict', `The commit names ${first}, which has moved to another tier`, {
    where: first,
    hint: 'Nothing was committed: refresh the table and derive the change anew.',
  });
}
