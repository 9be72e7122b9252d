import { partitionText } from '../iceberg/partition-spec.ts';
import { currentSchema } from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readManifestContent } from '../table/manifests.ts';
import { ANY_PARTITION, type CommitTimes, firstCommitMs } from './commit-times.ts';
import { FENCE_PROPERTY } from './protocol.ts';
import { distinctManifests, type TableHistory } from './table-history.ts';

/**
 * The commit times with those of data that compactions wrote anew: a `replace` snapshot changes no row, so what it added is as
 * old as the newest of what it removed in the same partition. Reads the manifests of retained compactions that list removed files.
 */
export async function withReplacedData(
  objects: ObjectStore,
  history: TableHistory,
  times: CommitTimes,
): Promise<CommitTimes> {
  const compactions = history.snapshots
    .map(({ snapshot }) => snapshot)
    .filter((one) => one.summary['operation'] === 'replace' && one.summary[FENCE_PROPERTY] === undefined)
    .filter((one) => one['sequence-number'] > 0)
    .sort((a, b) => a['sequence-number'] - b['sequence-number']);
  const replaced = new Map(times.replaced);
  for (const { 'snapshot-id': id, 'sequence-number': at } of compactions) {
    // One after the other: a compaction of compacted files builds on what is known of those.
    const found = await replacedBy(objects, history, { ...times, replaced }, id);
    if (found !== null) replaced.set(at, merged(replaced.get(at), found));
  }
  return { ...times, replaced };
}

async function replacedBy(
  objects: ObjectStore,
  history: TableHistory,
  times: CommitTimes,
  snapshotId: bigint,
): Promise<Map<string, number> | null> {
  const newest = new Map<string, number>();
  const specs = new Set<number>();
  const schema = currentSchema(history.metadata);
  for (const file of distinctManifests(history)) {
    if (file.addedSnapshotId !== snapshotId || file.content !== 'data' || file.deletedFilesCount === 0)
      continue;
    const { entries, spec } = await readManifestContent(objects, file);
    for (const entry of entries) {
      if (entry.status !== 'deleted' || entry.snapshotId !== snapshotId) continue;
      const partition = partitionText(spec, schema, entry.dataFile.partition);
      const ms = firstCommitMs(times, entry, partition);
      specs.add(spec['spec-id']);
      for (const key of [partition, ANY_PARTITION]) newest.set(key, Math.max(newest.get(key) ?? 0, ms));
    }
  }
  if (specs.size === 0) return null;
  // Under another partitioning a new file may hold rows of any of the old ones.
  return specs.size === 1 ? newest : new Map([[ANY_PARTITION, newest.get(ANY_PARTITION) ?? times.latestMs]]);
}

/** What was known before stays where it is earlier: the files that it was taken from may be moved or gone since. */
function merged(
  before: ReadonlyMap<string, number> | undefined,
  now: ReadonlyMap<string, number>,
): Map<string, number> {
  const all = new Map(before ?? []);
  for (const [partition, ms] of now) all.set(partition, Math.min(all.get(partition) ?? ms, ms));
  return all;
}
