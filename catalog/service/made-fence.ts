import { readManifest } from '../../src/iceberg/manifest.ts';
import { type ManifestFile, readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { CatalogContext } from './context.ts';

const LOCATIONS_PER_QUERY = 1000;

/**
 * True if an added snapshot is a fence of the history before it: a `replace` whose own manifests hold deleted entries alone, one
 * for each data path that a move in its grace has retired and whose file, where it lies now, some snapshot of the history
 * lists. Tombstones of earlier fences in the history count as well. `src/tiering/fence.ts` makes such snapshots.
 *
 * @param history the snapshots before the fence that the table retains
 * @param earlier ids of fences that the journal knows
 */
export async function isFenceOf(
  context: CatalogContext,
  tableUuid: string,
  snapshot: Snapshot,
  history: readonly Snapshot[],
  earlier: ReadonlySet<bigint>,
): Promise<boolean> {
  if (snapshot.summary.operation !== 'replace') return false;
  const tombstones = new Set<string>();
  if (!(await buries(context, snapshot, tombstones))) return false;
  for (const one of history) if (earlier.has(one['snapshot-id'])) await buries(context, one, tombstones);
  for await (const retired of retiredBefore(context, tableUuid, history)) {
    if (!tombstones.has(retired)) return false;
  }
  return true;
}

/** Collects the data paths that a snapshot's own manifests list as deleted; false if they list anything else. */
async function buries(context: CatalogContext, snapshot: Snapshot, paths: Set<string>): Promise<boolean> {
  for (const manifest of await listed(context, snapshot)) {
    if (manifest.addedSnapshotId !== snapshot['snapshot-id']) continue;
    for (const { status, dataFile } of await entriesOf(context, manifest)) {
      if (status !== 'deleted') return false;
      if (dataFile.content === 'data') paths.add(dataFile.filePath);
    }
  }
  return true;
}

/** The old data paths, still in grace, of the files that the history lists. A file may have moved more than once. */
async function* retiredBefore(
  context: CatalogContext,
  tableUuid: string,
  history: readonly Snapshot[],
): AsyncIterable<string> {
  const nowMs = context.clock.now();
  for await (const batch of batches(dataPaths(context, history))) {
    for (let paths: readonly string[] = batch; paths.length > 0; ) {
      paths = await context.store.dataMovedTo(tableUuid, paths, nowMs);
      yield* paths;
    }
  }
}

async function* dataPaths(context: CatalogContext, history: readonly Snapshot[]): AsyncIterable<string> {
  const read = new Set<string>();
  for (const snapshot of history) {
    for (const manifest of await listed(context, snapshot)) {
      if (manifest.content !== 'data' || read.has(manifest.manifestPath)) continue;
      read.add(manifest.manifestPath);
      for (const { status, dataFile } of await entriesOf(context, manifest)) {
        if (status !== 'deleted') yield dataFile.filePath;
      }
    }
  }
}

async function* batches(locations: AsyncIterable<string>): AsyncIterable<readonly string[]> {
  let batch: string[] = [];
  for await (const location of locations) {
    batch.push(location);
    if (batch.length < LOCATIONS_PER_QUERY) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function listed(context: CatalogContext, snapshot: Snapshot): Promise<readonly ManifestFile[]> {
  return [...readManifestList(await context.objects.get(snapshot['manifest-list']))];
}

async function entriesOf(context: CatalogContext, manifest: ManifestFile) {
  return readManifest(await context.objects.get(manifest.manifestPath)).entries;
}
