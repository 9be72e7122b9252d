import { isDeepStrictEqual } from 'node:util';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH, normalizeRef, type SnapshotRef } from './refs.ts';
import type { Snapshot } from './snapshot.ts';
import { snapshotById } from './table-metadata.ts';
import { type Draft, refuse } from './update-draft.ts';

/**
 * Adds a snapshot, which no ref names yet.
 *
 * @throws LakeError('conflict') if another writer took the sequence number (or the row ids) first.
 */
export function addSnapshot(draft: Draft, added: Snapshot): void {
  const { metadata } = draft;
  const snapshot = normalizeSnapshot(added, metadata['format-version']);
  const id = snapshot['snapshot-id'];
  if (!Number.isSafeInteger(snapshot['timestamp-ms'])) refuse(`snapshot ${id} has no valid timestamp-ms`);
  if (snapshotById(metadata, id)) refuse(`there is a snapshot ${id} already`, 'take another snapshot id');
  if (metadata['format-version'] >= 2) checkSequenceNumber(draft, snapshot);
  if (metadata['format-version'] >= 3) metadata['next-row-id'] = nextRowId(draft, snapshot);
  metadata.snapshots = [...metadata.snapshots, snapshot];
  metadata['last-sequence-number'] = Math.max(metadata['last-sequence-number'], snapshot['sequence-number']);
  draft.updatedMs = Math.max(draft.updatedMs ?? 0, snapshot['timestamp-ms']);
  draft.addedSnapshots.add(id);
  draft.changed = true;
}

/** Creates a ref or moves it; main's move is logged (spec: `snapshot-log`). */
export function setRef(draft: Draft, name: string, wanted: SnapshotRef): void {
  const { metadata } = draft;
  const ref = normalizeRef(name, wanted);
  const id = ref['snapshot-id'];
  const snapshot = snapshotById(metadata, id);
  if (!snapshot) refuse(`ref ${name} cannot be set: there is no snapshot ${id}`);
  if (Object.hasOwn(metadata.refs, name) && isDeepStrictEqual(metadata.refs[name], ref)) return;
  if (name === MAIN_BRANCH && metadata['current-snapshot-id'] !== id) moveMain(draft, snapshot);
  // Not by assignment or spread of a key: a ref may be called __proto__.
  metadata.refs = Object.fromEntries([...Object.entries(metadata.refs), [name, ref]]);
  draft.changed = true;
}

export function removeRef(draft: Draft, name: string): void {
  const { metadata } = draft;
  if (!Object.hasOwn(metadata.refs, name)) return;
  if (name === MAIN_BRANCH) delete metadata['current-snapshot-id'];
  metadata.refs = Object.fromEntries(Object.entries(metadata.refs).filter(([key]) => key !== name));
  draft.changed = true;
}

/** Removes snapshots with their statistics, and the refs that name them. */
export function removeSnapshots(draft: Draft, ids: readonly bigint[]): void {
  const { metadata } = draft;
  const gone = new Set(ids.filter((id) => snapshotById(metadata, id)));
  if (gone.size === 0) return;
  metadata.snapshots = metadata.snapshots.filter((snapshot) => !gone.has(snapshot['snapshot-id']));
  for (const id of gone) {
    draft.removedSnapshots.add(id);
    removeStatistics(draft, id);
    removePartitionStatistics(draft, id);
  }
  const dangling = Object.entries(metadata.refs).filter(([, ref]) => gone.has(ref['snapshot-id']));
  for (const [name] of dangling) removeRef(draft, name);
  draft.changed = true;
}

export function removeStatistics(draft: Draft, snapshotId: bigint): void {
  const { metadata } = draft;
  const kept = withoutSnapshot(metadata.statistics, snapshotId);
  if (kept.length === (metadata.statistics?.length ?? 0)) return;
  metadata.statistics = kept;
  draft.changed = true;
}

export function removePartitionStatistics(draft: Draft, snapshotId: bigint): void {
  const { metadata } = draft;
  const kept = withoutSnapshot(metadata['partition-statistics'], snapshotId);
  if (kept.length === (metadata['partition-statistics']?.length ?? 0)) return;
  metadata['partition-statistics'] = kept;
  draft.changed = true;
}

/** The files of other snapshots: each snapshot has one at most. */
export function withoutSnapshot<F extends { readonly 'snapshot-id': bigint }>(
  files: readonly F[] | undefined,
  snapshotId: bigint,
): readonly F[] {
  return (files ?? []).filter((file) => file['snapshot-id'] !== snapshotId);
}

/** Some clients send null for what is not set, and v1 tables have no sequence numbers. */
function normalizeSnapshot(added: Snapshot, formatVersion: number): Snapshot {
  const sequenceNumber = formatVersion === 1 ? 0 : added['sequence-number'];
  const snapshot: Record<string, unknown> & Snapshot = { ...added, 'sequence-number': sequenceNumber };
  for (const [key, value] of Object.entries(snapshot)) if (value === null) delete snapshot[key];
  return snapshot;
}

function checkSequenceNumber({ metadata }: Draft, snapshot: Snapshot): void {
  const last = metadata['last-sequence-number'];
  const given = snapshot['sequence-number'];
  if (!Number.isSafeInteger(given) || given < 0) refuse(`${given} is no sequence number`);
  if (given > last || snapshot['parent-snapshot-id'] === undefined) return;
  throw new LakeError(
    'conflict',
    `snapshot ${snapshot['snapshot-id']} has sequence number ${given}, but the table is at ${last}`,
    { where: metadata.location, hint: 'nothing was committed; refresh the table and derive the change anew' },
  );
}

/** Spec: "Row Lineage", "Snapshot Row IDs": a snapshot's row ids start at the table's next one. */
function nextRowId({ metadata }: Draft, snapshot: Snapshot): number {
  const next = metadata['next-row-id'] ?? 0;
  const { 'first-row-id': first, 'added-rows': added } = snapshot;
  if (first === undefined || added === undefined) {
    return refuse(`snapshot ${snapshot['snapshot-id']} needs first-row-id and added-rows: the table is v3`);
  }
  if (added < 0) refuse(`added-rows is ${added}`);
  if (first >= next) return first + added;
  throw new LakeError(
    'conflict',
    `snapshot ${snapshot['snapshot-id']} gives out row ids from ${first}, but the table is at ${next}`,
    { where: metadata.location, hint: 'nothing was committed; refresh the table and derive the change anew' },
  );
}

/** An added snapshot is logged at its own time, an older one (rollback) at the commit's. */
function moveMain(draft: Draft, snapshot: Snapshot): void {
  const { metadata } = draft;
  const id = snapshot['snapshot-id'];
  const log = metadata['snapshot-log'];
  const at = draft.addedSnapshots.has(id) ? snapshot['timestamp-ms'] : draft.nowMs;
  // The log is searched by time, so it must not run backwards whatever the writers' clocks say.
  const time = Math.max(at, log.at(-1)?.['timestamp-ms'] ?? 0);
  metadata['snapshot-log'] = [...log, { 'timestamp-ms': time, 'snapshot-id': id }];
  metadata['current-snapshot-id'] = id;
  draft.updatedMs = Math.max(draft.updatedMs ?? 0, time);
  draft.mainSnapshots.add(id);
}
