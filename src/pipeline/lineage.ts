import type { Snapshot } from '../iceberg/snapshot.ts';
import { ancestors, currentSnapshot, type TableMetadata } from '../iceberg/table-metadata.ts';

/** A snapshot as it is remembered: its id, and its sequence number, which tells more once it has expired. */
export interface RememberedSnapshot {
  readonly snapshotId: bigint;
  readonly sequence: number;
}

/** Main's snapshots from the head back to the root, or as far as expiry has left them. */
export interface Lineage {
  /** Head first. */
  readonly snapshots: readonly Snapshot[];
  /** The parent of the last one, if it has expired; null where the lineage reaches its root. */
  readonly expiredParent: bigint | null;
}

/** Whether main descends from a snapshot. `unknown`: the part of the lineage in which it would lie has expired. */
export type Descent = 'descends' | 'does-not' | 'unknown';

/** Main's lineage. */
export function mainLineage(metadata: TableMetadata): Lineage {
  const head = currentSnapshot(metadata);
  const snapshots = head === undefined ? [] : [...ancestors(metadata, head['snapshot-id'])];
  return { snapshots, expiredParent: snapshots.at(-1)?.['parent-snapshot-id'] ?? null };
}

/**
 * Tells whether main descends from a remembered snapshot. Sequence numbers grow along a lineage (spec: "Sequence
 * Numbers"), so a retained ancestor with a lower number proves that it is not there; a higher number of the head
 * proves nothing: after a rollback and a fence the head is newer than what was rolled back.
 */
export function descent(lineage: Lineage, from: RememberedSnapshot): Descent {
  if (stepsBack(lineage, from.snapshotId) !== null) return 'descends';
  const oldest = lineage.snapshots.at(-1);
  if (oldest === undefined || lineage.expiredParent === null) return 'does-not';
  return oldest['sequence-number'] < from.sequence ? 'does-not' : 'unknown';
}

/** How many snapshots main is ahead of one that it descends from; null if that cannot be seen. */
export function stepsBack({ snapshots, expiredParent }: Lineage, id: bigint): number | null {
  const at = snapshots.findIndex((snapshot) => snapshot['snapshot-id'] === id);
  if (at >= 0) return at;
  return expiredParent === id ? snapshots.length : null;
}

/** Main's head as it is to be remembered; null for a table without rows. */
export function headOf(metadata: TableMetadata): RememberedSnapshot | null {
  const head = currentSnapshot(metadata);
  if (head === undefined) return null;
  return { snapshotId: head['snapshot-id'], sequence: head['sequence-number'] };
}
