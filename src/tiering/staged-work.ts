import type { LoadedTable } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { tableName } from '../table/table.ts';
import { FENCE_PROPERTY } from './protocol.ts';

/** The snapshots of a branch or tag that are retained, newest first, beginning with `headId` itself. */
export function retainedAncestry(metadata: TableMetadata, headId: bigint): Snapshot[] {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  const ancestry: Snapshot[] = [];
  for (let at = byId.get(headId); at !== undefined; ) {
    ancestry.push(at);
    const parent: bigint | undefined = at['parent-snapshot-id'];
    at = parent === undefined ? undefined : byId.get(parent);
  }
  return ancestry;
}

/**
 * A branch that holds staged work: snapshots of its own that are no fences, and main could be fast-forwarded
 * to it. A fence on each side would defeat that, so a relocation waits. Null if there is none.
 */
export function branchWithStagedWork(metadata: TableMetadata): string | null {
  const main = metadata.refs[MAIN_BRANCH]?.['snapshot-id'];
  for (const [name, ref] of Object.entries(metadata.refs)) {
    if (ref.type !== 'branch' || name === MAIN_BRANCH) continue;
    const ancestry = retainedAncestry(metadata, ref['snapshot-id']);
    const mainAt = ancestry.findIndex((snapshot) => snapshot['snapshot-id'] === main);
    if (main !== undefined && mainAt < 0) continue;
    const own = main === undefined ? ancestry : ancestry.slice(0, mainAt);
    if (own.some((snapshot) => snapshot.summary[FENCE_PROPERTY] === undefined)) return name;
  }
  return null;
}

/** Throws `conflict` while a branch holds work that main may yet be fast-forwarded to. */
export function refuseStaged({ identifier, metadata }: LoadedTable): void {
  const branch = branchWithStagedWork(metadata);
  if (branch === null) return;
  throw new LakeError('conflict', `${tableName(identifier)} has staged work on branch "${branch}"`, {
    where: tableName(identifier),
    hint: 'publish or drop the branch, then run lake tier apply again',
  });
}
