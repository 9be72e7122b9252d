import { MAIN_BRANCH, type SnapshotRef } from '../iceberg/refs.ts';
import { ancestors, snapshotById, type TableMetadata } from '../iceberg/table-metadata.ts';
import { FENCE_PROPERTY } from '../tiering/protocol.ts';
import type { SnapshotRules } from './snapshot-rules.ts';

/** What an expiry takes out of a table's metadata. */
export interface ExpirePlan {
  /** Branches and tags that are too old. */
  readonly refs: readonly string[];
  /** In the order of the table's snapshots. */
  readonly snapshots: readonly bigint[];
}

/**
 * What may go at `nowMs` (spec: "Snapshot Retention Policy"). Retained are: each ref's snapshot; of each branch the
 * newest `minToKeep` of its ancestry (fences of moves not counted) and all of it up to `maxAgeMs` old; snapshots that no branch or tag leads
 * to, up to that age (they may be staged); and `guarded`. A ref's own settings beat the rules. Pure.
 *
 * @param guarded snapshots that stay whatever their age: fences of moves whose grace has not passed
 */
export function planExpire(
  metadata: TableMetadata,
  rules: SnapshotRules,
  nowMs: number,
  guarded: ReadonlySet<bigint> = new Set(),
): ExpirePlan {
  const gone = new Set(
    Object.entries(metadata.refs)
      .filter(([name, ref]) => name !== MAIN_BRANCH && isTooOld(metadata, ref, rules, nowMs))
      .map(([name]) => name),
  );
  const retained = new Set(guarded);
  const led = new Set<bigint>();
  for (const [name, ref] of Object.entries(metadata.refs)) {
    if (gone.has(name)) continue;
    retained.add(ref['snapshot-id']);
    led.add(ref['snapshot-id']);
    if (ref.type === 'branch') retainBranch(metadata, ref, rules, nowMs, { retained, led });
  }
  for (const { 'snapshot-id': id, 'timestamp-ms': at } of metadata.snapshots) {
    if (!led.has(id) && nowMs - at <= rules.maxAgeMs) retained.add(id);
  }
  return {
    refs: [...gone],
    snapshots: metadata.snapshots.map((one) => one['snapshot-id']).filter((id) => !retained.has(id)),
  };
}

/** True if there is nothing to do. */
export function isEmptyPlan({ refs, snapshots }: ExpirePlan): boolean {
  return refs.length === 0 && snapshots.length === 0;
}

function isTooOld(metadata: TableMetadata, ref: SnapshotRef, rules: SnapshotRules, nowMs: number): boolean {
  const snapshot = snapshotById(metadata, ref['snapshot-id']);
  // A ref that leads nowhere is damage, and no reason to destroy what tells of it.
  if (snapshot === undefined) return false;
  return nowMs - snapshot['timestamp-ms'] > (ref['max-ref-age-ms'] ?? rules.maxRefAgeMs);
}

/** Not stopped by the first old snapshot: clocks of writers differ, and a young one behind it is young all the same. */
function retainBranch(
  metadata: TableMetadata,
  ref: SnapshotRef,
  rules: SnapshotRules,
  nowMs: number,
  { retained, led }: { readonly retained: Set<bigint>; readonly led: Set<bigint> },
): void {
  const minToKeep = ref['min-snapshots-to-keep'] ?? rules.minToKeep;
  const maxAgeMs = ref['max-snapshot-age-ms'] ?? rules.maxAgeMs;
  let kept = 0;
  for (const { 'snapshot-id': id, 'timestamp-ms': ms, summary } of ancestors(metadata, ref['snapshot-id'])) {
    led.add(id);
    if (kept < minToKeep || nowMs - ms <= maxAgeMs) retained.add(id);
    // A fence changes no row: moves must not use up the history that was promised.
    if (summary[FENCE_PROPERTY] === undefined) kept += 1;
  }
}
