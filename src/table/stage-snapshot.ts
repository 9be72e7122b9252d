import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { writeManifestList } from '../iceberg/manifest-list.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot, SnapshotOperation } from '../iceberg/snapshot.ts';
import { currentSnapshot, snapshotForRef, type TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { Staged } from './commit.ts';
import { snapshotManifests, withKnownCounts } from './manifests.ts';
import { type AddedFile, type ChangeIds, ManifestProducer } from './snapshot-files.ts';
import { snapshotSummary } from './snapshot-summary.ts';
import type { Table } from './table.ts';

/** Which branch a change goes to, and what its snapshot's summary says besides the counts. */
export interface ChangeOptions {
  /** Default `main`. A branch that is not there yet starts at main's snapshot. */
  readonly branch?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export interface SnapshotChange extends ChangeOptions {
  readonly operation: SnapshotOperation;
  /** Data and delete files. Hand in the same array per attempt: their manifests are written once. */
  readonly added: readonly AddedFile[];
  /** Paths of live files that go. */
  readonly removed?: ReadonlySet<string>;
}

/** A staged snapshot. */
export interface StagedSnapshot extends Staged {
  readonly snapshotId: bigint;
  readonly snapshot: Snapshot;
}

/** The snapshot that a branch is at; for a branch that is not there yet, main's. */
export function branchSnapshot(metadata: TableMetadata, branch: string = MAIN_BRANCH): Snapshot | undefined {
  const ref = metadata.refs[branch];
  if (ref?.type === 'tag') {
    throw new LakeError('invalid-argument', `"${branch}" is a tag: nothing can be written to it`, {
      hint: 'Write to a branch.',
    });
  }
  return ref && branch !== MAIN_BRANCH ? snapshotForRef(metadata, branch) : currentSnapshot(metadata);
}

/** How `planScan` reads what a change to the branch is planned on, with the table's current schema. */
export function branchScan(metadata: TableMetadata, branch: string = MAIN_BRANCH): { readonly ref?: string } {
  return Object.hasOwn(metadata.refs, branch) ? { ref: branch } : {};
}

/**
 * Writes a change's manifests and manifest list, and says what is to be committed. Errors: `unsupported` for tables that are not format v2, `conflict` if a removed file is gone.
 */
export async function stageSnapshot(
  table: Table,
  ids: ChangeIds,
  change: SnapshotChange,
): Promise<StagedSnapshot> {
  const { metadata, context } = table;
  checkWritable(table);
  const parent = branchSnapshot(metadata, change.branch);
  const sequenceNumber = metadata['last-sequence-number'] + 1;
  const producer = new ManifestProducer(context.objects, metadata, ids, sequenceNumber);
  const removed: DataFile[] = [];
  const base = parent ? await snapshotManifests(context.objects, parent) : [];
  const kept = await producer.without(base, change.removed ?? new Set(), (file) => removed.push(file));
  const counted = await Promise.all(kept.map((manifest) => withKnownCounts(context.objects, manifest)));
  const manifests = await producer.merged([...producer.added(change.added), ...counted]);
  const location = `${metadata.location}/metadata/snap-${ids.snapshotId}-${++ids.attempts}-${ids.uuid}.avro`;
  const parentId = parent?.['snapshot-id'] ?? null;
  const list = writeManifestList(
    { snapshotId: ids.snapshotId, parentSnapshotId: parentId, sequenceNumber, formatVersion: 2 },
    manifests,
  );
  await context.objects.put(location, list, { if: 'absent' });
  const snapshot: Snapshot = {
    'snapshot-id': ids.snapshotId,
    ...(parentId === null ? {} : { 'parent-snapshot-id': parentId }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': Math.max(context.clock.now(), metadata['last-updated-ms']),
    'manifest-list': location,
    summary: snapshotSummary({
      operation: change.operation,
      added: change.added.map((file) => file.dataFile),
      removed,
      parent,
      properties: change.properties ?? {},
    }),
    'schema-id': metadata['current-schema-id'],
  };
  return {
    snapshotId: ids.snapshotId,
    snapshot,
    ...publishing(metadata, snapshot, change.branch ?? MAIN_BRANCH),
  };
}

function publishing(
  metadata: TableMetadata,
  snapshot: Snapshot,
  branch: string,
): Pick<Staged, 'requirements' | 'updates'> {
  const ref = metadata.refs[branch];
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    {
      ...(ref ?? { type: 'branch' }),
      action: 'set-snapshot-ref',
      'ref-name': branch,
      'snapshot-id': snapshot['snapshot-id'],
    },
  ];
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': ref?.['snapshot-id'] ?? null },
    ],
    updates,
  };
}

/** Errors: `unsupported` for a table that is not format v2. */
export function checkWritable(table: Table): void {
  const version = table.metadata['format-version'];
  if (version === 2) return;
  throw new LakeError(
    'unsupported',
    `${table.name} is of format v${version}; this version writes to format v2 only`,
    {
      hint:
        version === 1
          ? `Upgrade it first: lake table alter ${table.name} --upgrade-format 2`
          : 'Write to it with an engine that knows format v3.',
    },
  );
}
