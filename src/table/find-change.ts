import { isKind } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { ancestors, snapshotForRef, type TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { liveEntries, readManifestContent, snapshotManifests } from './manifests.ts';
import type { Table } from './table.ts';

/** A change that was handed to the catalog. */
interface SentChange {
  readonly updates: readonly TableUpdate[];
  /** Tells of a change without a snapshot whether it is in the table. */
  readonly applied?: (metadata: TableMetadata) => boolean;
}

/** Whether a change of which no answer came is in the table: proven to be, proven not to be, or neither. */
export type Landing = 'landed' | 'absent' | 'unknown';

/**
 * Looks for a change in a freshly loaded table. An expiry may have dropped its snapshot since, so that a missing id alone proves nothing: the
 * snapshot counts as absent only where its sequence number was never given out, or went to another snapshot, or where the branch's whole history
 * is known; else its files are looked for among the branch's own.
 */
export async function findChange(table: Table, staged: SentChange): Promise<Landing> {
  const { metadata, context } = table;
  if (staged.applied) return staged.applied(metadata) ? 'landed' : 'absent';
  const snapshot = addedSnapshot(staged.updates);
  if (!snapshot) return 'absent';
  const id = snapshot['snapshot-id'];
  const isId = (other: { readonly 'snapshot-id': bigint }): boolean => other['snapshot-id'] === id;
  if (metadata.snapshots.some(isId) || metadata['snapshot-log'].some(isId)) return 'landed';
  const branch = branchOf(staged.updates);
  if (sequenceNumberIsFree(metadata, snapshot) || isRootless(metadata, snapshot, branch)) return 'absent';
  return (await holdsFiles(context.objects, metadata, snapshot, branch)) ? 'landed' : 'unknown';
}

const addedSnapshot = (updates: readonly TableUpdate[]): Snapshot | undefined =>
  updates.find((update) => update.action === 'add-snapshot')?.snapshot;

const branchOf = (updates: readonly TableUpdate[]): string =>
  updates.find((update) => update.action === 'set-snapshot-ref')?.['ref-name'] ?? MAIN_BRANCH;

/** A catalog gives each sequence number out once, but for snapshots without a parent. */
function sequenceNumberIsFree(metadata: TableMetadata, snapshot: Snapshot): boolean {
  const number = snapshot['sequence-number'];
  if (metadata['last-sequence-number'] < number) return true;
  const hasParent = (one: Snapshot): boolean => one['parent-snapshot-id'] !== undefined;
  return (
    hasParent(snapshot) &&
    metadata.snapshots.some((one) => one['sequence-number'] === number && hasParent(one))
  );
}

/** True if the change would be the branch's first snapshot, and another one is. */
function isRootless(metadata: TableMetadata, snapshot: Snapshot, branch: string): boolean {
  if (snapshot['parent-snapshot-id'] !== undefined) return false;
  const head = snapshotForRef(metadata, branch);
  const root = head && [...ancestors(metadata, head['snapshot-id'])].at(-1);
  return root !== undefined && root['parent-snapshot-id'] === undefined;
}

/** True if one of the files that the change adds is live on the branch. */
async function holdsFiles(
  objects: ObjectStore,
  metadata: TableMetadata,
  snapshot: Snapshot,
  branch: string,
): Promise<boolean> {
  const head = snapshotForRef(metadata, branch);
  if (!head) return false;
  try {
    const added = await addedPaths(objects, snapshot);
    if (added.size === 0) return false;
    for await (const { entry } of liveEntries(objects, head)) {
      if (added.has(entry.dataFile.filePath)) return true;
    }
  } catch (error) {
    // An expiry deletes the manifests of what it drops: then nothing is proven either way.
    if (!isKind(error, 'not-found')) throw error;
  }
  return false;
}

async function addedPaths(objects: ObjectStore, snapshot: Snapshot): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const manifest of await snapshotManifests(objects, snapshot)) {
    if (manifest.addedSnapshotId !== snapshot['snapshot-id'] || manifest.addedFilesCount === 0) continue;
    for (const { status, dataFile } of (await readManifestContent(objects, manifest)).entries) {
      if (status === 'added') paths.add(dataFile.filePath);
    }
  }
  return paths;
}
