import { LakeError } from '../../src/errors.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { DELETE_FILE_PATH_ID } from '../../src/iceberg/position-delete.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { ancestors, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { CatalogContext } from './context.ts';
import { deletedPaths } from './position-delete-paths.ts';

/**
 * What a table that was moved between tiers demands of a commit beyond the spec. A writer that started before the move knows the
 * old paths: whatever it adds must not name them, or rows would be lost or come back once the old objects are deleted.
 * Errors: `conflict` (the writer refreshes and derives anew), `invalid-argument` (a branch set back before its fence).
 */
export async function checkAgainstMoves(
  context: CatalogContext,
  base: TableMetadata,
  next: TableMetadata,
  updates: readonly TableUpdate[],
): Promise<void> {
  const uuid = base['table-uuid'];
  if (!(await context.store.hasMoved(uuid))) return;
  await checkFences(context, next);
  for (const update of updates) {
    if (update.action === 'add-snapshot') await checkSnapshot(context, uuid, update.snapshot);
  }
}

async function checkFences(context: CatalogContext, next: TableMetadata): Promise<void> {
  const fences = await context.store.guardedFences(next['table-uuid'], context.clock.now());
  for (const fence of fences) {
    const head = Object.hasOwn(next.refs, fence.ref) ? next.refs[fence.ref]?.['snapshot-id'] : undefined;
    if (head === undefined || head === fence.snapshotId) continue;
    for (const before of ancestors(next, fence.snapshotId)) {
      if (before['snapshot-id'] !== head) continue;
      throw new LakeError(
        'invalid-argument',
        `Branch ${fence.ref} cannot be set back to snapshot ${head} yet: files moved since`,
        {
          hint: `Writers that began before the move could lose rows until ${new Date(fence.untilMs).toISOString()}; wait until then.`,
        },
      );
    }
  }
}

async function checkSnapshot(context: CatalogContext, tableUuid: string, snapshot: Snapshot): Promise<void> {
  const manifests = [...readManifestList(await context.objects.get(snapshot['manifest-list']))];
  const paths = manifests.map((manifest) => manifest.manifestPath);
  await refuseRetired(context, tableUuid, [snapshot['manifest-list'], ...paths]);
  for (const manifest of manifests) {
    if (manifest.addedSnapshotId !== snapshot['snapshot-id']) continue;
    const live: DataFile[] = [];
    for (const entry of readManifest(await context.objects.get(manifest.manifestPath)).entries) {
      if (entry.status !== 'deleted') live.push(entry.dataFile);
    }
    await checkFiles(context, tableUuid, live);
  }
}

async function checkFiles(
  context: CatalogContext,
  tableUuid: string,
  files: readonly DataFile[],
): Promise<void> {
  const named = files.flatMap((file) =>
    file.referencedDataFile === undefined ? [file.filePath] : [file.filePath, file.referencedDataFile],
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
  const [first] = await context.store.retiredAmong(tableUuid, locations);
  if (first === undefined) return;
  throw new LakeError('conflict', `The commit names ${first}, which has moved to another tier`, {
    where: first,
    hint: 'Nothing was committed: refresh the table and derive the change anew.',
  });
}
