import { LakeError } from '../../src/errors.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { snapshotById, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';

/** Key of a snapshot's summary (spec: "Optional Snapshot Summary Fields"). */
const CHERRY_PICKED = 'source-snapshot-id';

/**
 * What expiry demands of commits beyond the spec, as no requirement can say it. Pure.
 *
 * Snapshots are removed with the refs that name them, and an expiry was planned before a tag was put on one of them: the tag
 * would be gone without a word. And a new branch that begins at a snapshot which is gone would name deleted files.
 * Java's and our own clients say by name which refs go, and derive from snapshots that are there.
 *
 * @throws LakeError `conflict`: nothing was committed, the change is to be derived anew
 */
export function checkAgainstExpiry(
  base: TableMetadata | null,
  next: TableMetadata,
  updates: readonly TableUpdate[],
): void {
  if (base === null) return;
  refuseLostRefs(base, next, updates);
  refuseLostParents(base, next, updates);
}

function refuseLostRefs(base: TableMetadata, next: TableMetadata, updates: readonly TableUpdate[]): void {
  const named = new Set(
    updates.flatMap((one) => (one.action === 'remove-snapshot-ref' ? one['ref-name'] : [])),
  );
  for (const [name, ref] of Object.entries(base.refs)) {
    if (named.has(name) || Object.hasOwn(next.refs, name)) continue;
    throw new LakeError(
      'conflict',
      `Snapshot ${ref['snapshot-id']} cannot be removed: ${ref.type} ${name} is at it`,
      {
        where: base.location,
        hint: 'Nothing was committed: refresh the table, then keep the snapshot or remove the ref by name.',
      },
    );
  }
}

function refuseLostParents(base: TableMetadata, next: TableMetadata, updates: readonly TableUpdate[]): void {
  for (const update of updates) {
    if (update.action !== 'add-snapshot') continue;
    for (const source of sourcesOf(update.snapshot)) {
      if (snapshotById(base, source) !== undefined || snapshotById(next, source) !== undefined) continue;
      throw new LakeError(
        'conflict',
        `Snapshot ${update.snapshot['snapshot-id']} was derived from snapshot ${source}, which is expired`,
        {
          where: base.location,
          hint: 'Nothing was committed: files that it names may be deleted. Refresh the table and derive the change anew.',
        },
      );
    }
  }
}

/** The snapshots whose files a snapshot carries on: its parent's, and those of one that it was cherry-picked from. */
function sourcesOf(snapshot: Snapshot): readonly bigint[] {
  const parent = snapshot['parent-snapshot-id'];
  const picked = snapshot.summary[CHERRY_PICKED];
  return [
    // Some clients send null or -1 for no parent.
    ...(parent === undefined || parent === null || parent < 0n ? [] : [parent]),
    ...(picked !== undefined && /^\d+$/.test(picked) ? [BigInt(picked)] : []),
  ];
}
