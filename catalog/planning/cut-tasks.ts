import { LakeError } from '../../src/errors.ts';
import { filterKeepsManifest } from '../../src/iceberg/filter-pruning.ts';
import type { ManifestFile } from '../../src/iceberg/manifest-list.ts';
import type { ListPosition, ManifestPart } from './plan-token.ts';
import type { Scan } from './scan-request.ts';
import { listedManifests, type PlannedObjects } from './table-manifests.ts';

/** Files in the answer to one task: it is made and sent as a whole, at some 500 bytes a file. */
export const FILES_PER_TASK = 1000;
/** Each is fetched as a whole, one after the other. */
export const MANIFESTS_PER_TASK = 64;

/** The work of one task. */
export type TaskParts = readonly ManifestPart[];

export interface Cut {
  readonly tasks: readonly TaskParts[];
  /** Where the next cut begins; null if nothing is left. */
  readonly rest: ListPosition | null;
}

/**
 * Cuts the manifests that can hold matching rows into tasks of a bounded number of files. Reads manifest lists, no manifests.
 *
 * @param start where to begin; null for the beginning.
 * @param limit the most tasks to make.
 * Errors: `not-found`, `corrupt`.
 */
export async function cutTasks(
  objects: PlannedObjects,
  scan: Scan,
  start: ListPosition | null,
  limit: number,
): Promise<Cut> {
  const tasks: TaskParts[] = [];
  let open = new OpenTask();
  const close = (): void => {
    if (open.parts.length > 0) tasks.push(open.parts);
    open = new OpenTask();
  };
  for await (const { position, manifest } of keptManifests(objects, scan, start)) {
    const entries = entryCount(manifest);
    if (open.files + entries > FILES_PER_TASK || open.manifests >= MANIFESTS_PER_TASK) close();
    if (tasks.length >= limit) return { tasks, rest: position };
    if (entries <= FILES_PER_TASK) {
      open.add(position, entries);
      continue;
    }
    tasks.push(...ranges(position, entries));
  }
  close();
  return { tasks, rest: null };
}

class OpenTask {
  readonly parts: ManifestPart[] = [];
  files = 0;
  manifests = 0;

  add({ snapshotId, manifest }: ListPosition, files: number): void {
    this.files += files;
    this.manifests += 1;
    const last = this.parts.at(-1);
    if (last?.snapshotId === snapshotId) {
      this.parts[this.parts.length - 1] = { snapshotId, manifests: [...last.manifests, manifest] };
    } else this.parts.push({ snapshotId, manifests: [manifest] });
  }
}

/** All entries of a manifest, deleted ones included; 0 where its writer did not count them, which makes it one piece. */
export function entryCount(manifest: ManifestFile): number {
  const counts = [manifest.addedFilesCount, manifest.existingFilesCount, manifest.deletedFilesCount];
  return counts.every((one) => one >= 0) ? counts.reduce((sum, one) => sum + one, 0) : 0;
}

/** The last range has no end: it takes what a wrong count would leave out. */
function ranges({ snapshotId, manifest }: ListPosition, entries: number): TaskParts[] {
  return Array.from({ length: Math.ceil(entries / FILES_PER_TASK) }, (_, at) => {
    const from = at * FILES_PER_TASK;
    const to = from + FILES_PER_TASK < entries ? from + FILES_PER_TASK : null;
    return [{ snapshotId, manifests: [manifest], entries: { from, to } }];
  });
}

async function* keptManifests(
  objects: PlannedObjects,
  scan: Scan,
  start: ListPosition | null,
): AsyncGenerator<{ readonly position: ListPosition; readonly manifest: ManifestFile }> {
  const first =
    start === null ? 0 : scan.snapshots.findIndex((one) => one['snapshot-id'] === start.snapshotId);
  if (first === -1) throw outsideScan();
  for (const snapshot of scan.snapshots.slice(first)) {
    const snapshotId = snapshot['snapshot-id'];
    const from = start?.snapshotId === snapshotId ? start.manifest : 0;
    for (const [at, manifest] of (await listedManifests(objects, snapshot)).entries()) {
      if (at < from || !isKept(scan, snapshotId, manifest)) continue;
      yield { position: { snapshotId, manifest: at }, manifest };
    }
  }
}

function isKept(
  { metadata, schema, filter, incremental }: Scan,
  snapshotId: bigint,
  manifest: ManifestFile,
): boolean {
  if (manifest.content !== 'data') return false;
  if (incremental && (manifest.addedSnapshotId !== snapshotId || manifest.addedFilesCount === 0))
    return false;
  if (manifest.addedFilesCount === 0 && manifest.existingFilesCount === 0) return false;
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === manifest.partitionSpecId);
  return filter === null || spec === undefined || filterKeepsManifest(filter, schema, spec, manifest);
}

/** A part of a token that names what its scan does not read. */
export function outsideScan(): LakeError {
  return new LakeError('not-found', 'The plan task is none of this scan', { hint: 'Plan the scan anew.' });
}
