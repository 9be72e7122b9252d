import { LakeError } from '../../src/errors.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { snapshotById, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../../src/iceberg/updates.ts';
import type { RetiredObject } from '../store/catalog-store.ts';
import { movedOn, noSuchTable, tableText } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import type { MetadataFile } from './metadata-files.ts';
import { surelyRefused } from './pointer-outcome.ts';

export interface SwapRequest {
  readonly leaseId: string;
  readonly baseMetadataLocation: string;
  /** New manifest lists of retained snapshots whose manifests changed. */
  readonly snapshots: readonly { readonly id: bigint; readonly manifestList: string }[];
  readonly fences: readonly { readonly ref: string; readonly snapshot: Snapshot }[];
  readonly retired: readonly RetiredObject[];
}

/**
 * Step 7 of a relocation (DESIGN 4.2): the table's history gets its new manifest lists, its branches their fences, and the pointer
 * changes together with the journal's state and the ledger.
 * Errors: `conflict` (the table moved on, the lease is lost, the relocation is not copying), `not-found`, `invalid-argument`.
 */
export async function swapRelocation(
  context: CatalogContext,
  relocationId: string,
  request: SwapRequest,
): Promise<MetadataFile> {
  const relocation = await context.store.getRelocation(relocationId);
  const pointer = await context.store.findTable(relocation);
  if (pointer === null) throw noSuchTable(relocation);
  if (pointer.metadataLocation !== request.baseMetadataLocation) {
    throw movedOn(`Table ${tableText(relocation)} was changed since the move was prepared`);
  }
  const base = await context.files.read(pointer.metadataLocation);
  refuseV1(base.metadata, tableText(relocation));
  await context.places.requireOwn(
    base.metadata,
    base.metadata,
    listsOf(request).map((location) => ({ named: 'manifest list', location })),
  );
  await requireManifestLists(context, request);
  const file = await context.files.write(swapped(base, request, context.clock.now()), base.location);
  try {
    await context.store.swap({
      relocationId,
      leaseId: request.leaseId,
      pointer: { ...pointer, expected: base.location, metadataLocation: file.location },
      retired: request.retired,
      fences: request.fences.map(({ ref, snapshot }) => ({ ref, snapshotId: snapshot['snapshot-id'] })),
      afterSequenceNumber: base.metadata['last-sequence-number'],
      nowMs: context.clock.now(),
    });
  } catch (error) {
    if (surelyRefused(error)) await context.files.discard([file]);
    throw error;
  }
  return file;
}

/** Without sequence numbers nothing would tell a stale writer's snapshot from a fresh one. */
function refuseV1(metadata: TableMetadata, name: string): void {
  if (metadata['format-version'] >= 2) return;
  throw new LakeError('unsupported', `Table ${name} has format v1, whose files are not moved`, {
    hint: 'Nothing was swapped: upgrade the table to format v2 first.',
  });
}

function listsOf({ snapshots, fences }: SwapRequest): readonly string[] {
  return [
    ...snapshots.map((snapshot) => snapshot.manifestList),
    ...fences.map((fence) => fence.snapshot['manifest-list']),
  ];
}

/** A pointer to a list that is not there would make a snapshot unreadable for good. */
async function requireManifestLists(context: CatalogContext, request: SwapRequest): Promise<void> {
  for (const list of listsOf(request)) {
    if (await context.objects.exists(list)) continue;
    throw new LakeError('invalid-argument', `There is no manifest list ${list}`, {
      hint: 'Nothing was swapped: write the manifest lists first.',
    });
  }
}

/** Pure: the metadata after the swap. All that no argument names stays as it is. */
function swapped(base: MetadataFile, request: SwapRequest, nowMs: number): TableMetadata {
  const rewritten = withManifestLists(base.metadata, request.snapshots);
  const { 'partition-statistics': _stale, ...kept } = rewritten;
  const moved: TableMetadata = {
    ...kept,
    // Without a fence nothing else would turn away a stale writer's sequence number.
    'last-sequence-number': kept['last-sequence-number'] + (request.fences.length === 0 ? 1 : 0),
  };
  checkFences(moved, request.fences);
  const context = { nowMs, previousMetadataLocation: base.location };
  const fenced = applyUpdates(moved, request.fences.flatMap(fenceUpdates(moved)), context);
  return fenced === moved ? logged(moved, base, nowMs) : fenced;
}

/** `applyUpdates` logs a change of its own only; a swap without fences is one all the same. */
function logged(moved: TableMetadata, base: MetadataFile, nowMs: number): TableMetadata {
  const entry = { 'timestamp-ms': base.metadata['last-updated-ms'], 'metadata-file': base.location };
  const kept = Number(moved.properties['write.metadata.previous-versions-max'] ?? 100);
  return {
    ...moved,
    'last-updated-ms': Math.max(nowMs, moved['last-updated-ms']),
    'metadata-log': [...moved['metadata-log'], entry].slice(-Math.max(1, kept || 100)),
  };
}

function withManifestLists(metadata: TableMetadata, changes: SwapRequest['snapshots']): TableMetadata {
  const lists = new Map(changes.map((change) => [change.id, change.manifestList]));
  for (const id of lists.keys()) {
    if (snapshotById(metadata, id) !== undefined) continue;
    throw movedOn(`Snapshot ${id} is not in the table any more`);
  }
  const snapshots = metadata.snapshots.map((snapshot) => {
    const list = lists.get(snapshot['snapshot-id']);
    return list === undefined ? snapshot : { ...snapshot, 'manifest-list': list };
  });
  return { ...metadata, snapshots };
}

function checkFences(metadata: TableMetadata, fences: SwapRequest['fences']): void {
  for (const [at, { ref, snapshot }] of fences.entries()) {
    const head = Object.hasOwn(metadata.refs, ref) ? metadata.refs[ref] : undefined;
    if (head?.type !== 'branch' || head['snapshot-id'] !== snapshot['parent-snapshot-id']) {
      throw movedOn(`The fence of branch ${ref} does not follow its head`);
    }
    if (snapshot['sequence-number'] !== metadata['last-sequence-number'] + 1 + at) {
      throw movedOn(
        `The fence of branch ${ref} has the wrong sequence number ${snapshot['sequence-number']}`,
      );
    }
  }
}

function fenceUpdates(metadata: TableMetadata): (fence: SwapRequest['fences'][number]) => TableUpdate[] {
  return ({ ref, snapshot }) => {
    const head = metadata.refs[ref];
    if (head === undefined) throw movedOn(`Branch ${ref} is gone`);
    return [
      { action: 'add-snapshot', snapshot },
      { ...head, action: 'set-snapshot-ref', 'ref-name': ref, 'snapshot-id': snapshot['snapshot-id'] },
    ];
  };
}
