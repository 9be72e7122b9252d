import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { ancestors, snapshotById, type TableMetadata } from '../iceberg/table-metadata.ts';
import { buildFence } from '../tiering/fence.ts';
import type { RetiredEntry } from '../tiering/history-rewrite.ts';
import { FENCE_PROPERTY } from '../tiering/protocol.ts';
import { type CommitOptions, type CommitResult, commitWithRetry, type Staged } from './commit.ts';
import type { LakeContext } from './context.ts';
import { readManifestContent, snapshotManifests, withKnownCounts } from './manifests.ts';
import { parseTime } from './resolve-snapshot.ts';
import type { Table } from './table.ts';

export interface RollbackOptions extends CommitOptions {
  /** An ancestor of the branch's head: a snapshot id, a tag or branch at it, or a time (the newest ancestor that is not younger). */
  readonly to: string;
  /** Default `main`. */
  readonly branch?: string;
}

export interface RollbackResult extends CommitResult {
  /** What the branch was at. */
  readonly from: bigint;
  /** The snapshot whose rows the branch shows again. */
  readonly to: bigint;
  /** The new fence that the branch is at where files moved between tiers since; null where the branch is at `to` itself. */
  readonly fence: bigint | null;
}

/**
 * Sets a branch back to one of its ancestors. Where a move between tiers lies in between, the branch gets a new fence over the old snapshot in
 * the same commit, so that writers which began before the move still conflict (DESIGN 4.2).
 * Errors: `not-found` and `invalid-argument` for the target; `conflict` if the branch moves meanwhile: what came is not thrown away unseen.
 */
export async function rollback(
  context: LakeContext,
  identifier: TableIdentifier,
  options: RollbackOptions,
): Promise<RollbackResult> {
  const branch = options.branch ?? MAIN_BRANCH;
  const fenceId = context.clock.snapshotId();
  const uuid = context.clock.uuid();
  let seen: { readonly from: bigint; readonly target: Snapshot } | null = null;
  let attempts = 0;
  const result = await commitWithRetry(
    context,
    identifier,
    async (table) => {
      const from = headOf(table, branch);
      if (seen && seen.from !== from) throw movedOn(table, branch);
      seen ??= { from, target: rollbackTarget(table, branch, options.to) };
      const { target } = seen;
      if (target['snapshot-id'] === from) return null;
      const between = snapshotsAbove(table.metadata, from, target['snapshot-id']);
      const fences = between.filter((snapshot) => snapshot.summary[FENCE_PROPERTY] !== undefined);
      if (fences.length === 0) return plainRollback(table, branch, from, target);
      const name = (file: string): string =>
        `${table.metadata.location}/metadata/${uuid}-rollback-${++attempts}-${file}`;
      return fencedRollback(table, branch, { from, target, fences, fenceId, place: name });
    },
    options,
  );
  const { from, target } = seen ?? noDerivation();
  return { ...result, from, to: target['snapshot-id'], fence: result.snapshotId };
}

function noDerivation(): never {
  throw new LakeError('internal', 'A commit ended without its change being derived');
}

function headOf(table: Table, branch: string): bigint {
  const ref = table.metadata.refs[branch];
  if (ref?.type === 'branch') return ref['snapshot-id'];
  throw new LakeError('not-found', `${table.name} has no branch "${branch}"`, {
    hint: `\`lake table branch ${table.name}\` lists its branches and tags.`,
  });
}

function movedOn(table: Table, branch: string): LakeError {
  return new LakeError('conflict', `Another writer committed to "${branch}" of ${table.name} meanwhile`, {
    hint: 'Nothing was rolled back. Look at what came and roll back again if it is to go too.',
  });
}

/** The snapshots from the head down to, and without, the target. */
function snapshotsAbove(metadata: TableMetadata, head: bigint, target: bigint): Snapshot[] {
  const above: Snapshot[] = [];
  for (const snapshot of ancestors(metadata, head)) {
    if (snapshot['snapshot-id'] === target) break;
    above.push(snapshot);
  }
  return above;
}

/**
 * The ancestor of a branch's head that `text` names. By time it is the newest ancestor that is not younger: a snapshot that was rolled back
 * once is none.
 */
function rollbackTarget(table: Table, branch: string, text: string): Snapshot {
  const { metadata } = table;
  const line = [...ancestors(metadata, headOf(table, branch))];
  const named = Object.hasOwn(metadata.refs, text) ? metadata.refs[text]?.['snapshot-id'] : undefined;
  const id = named ?? (/^\d+$/.test(text) ? BigInt(text) : undefined);
  if (id !== undefined) {
    const found = line.find((snapshot) => snapshot['snapshot-id'] === id);
    return found ?? notAnAncestor(table, branch, text, id);
  }
  const time = parseTime(text);
  const newest = time === null ? undefined : line.find((snapshot) => snapshot['timestamp-ms'] <= time);
  if (newest) return newest;
  const what = time === null ? `snapshot, branch or tag "${text}"` : `snapshot from ${text} or before`;
  throw new LakeError('not-found', `"${branch}" of ${table.name} has no ${what}`, {
    hint: `Write a snapshot id, a tag, or a time such as 2001-03-01T00:00:00Z; see \`lake table history ${table.name}\`.`,
  });
}

function notAnAncestor(table: Table, branch: string, text: string, id: bigint): never {
  if (!snapshotById(table.metadata, id)) {
    throw new LakeError('not-found', `There is no snapshot ${id} in ${table.name}`, {
      hint: `Look at \`lake table history ${table.name}\`.`,
    });
  }
  throw new LakeError(
    'invalid-argument',
    `"${branch}" of ${table.name} was never built on ${text}: it is no ancestor of its head`,
    {
      hint: 'A rollback goes back along the branch itself; use cherry-pick or fast-forward for other snapshots.',
    },
  );
}

function plainRollback(table: Table, branch: string, from: bigint, target: Snapshot): Staged {
  const { metadata } = table;
  const to = target['snapshot-id'];
  return {
    requirements: requirementsOf(metadata, branch, from),
    updates: [
      { ...metadata.refs[branch]!, action: 'set-snapshot-ref', 'ref-name': branch, 'snapshot-id': to },
    ],
    // Others may have built on the target since: then the branch is past it, and what was rolled back is not below.
    applied: (current) => {
      const head = current.refs[branch]?.['snapshot-id'];
      const line = head === undefined ? [] : [...ancestors(current, head)].map((one) => one['snapshot-id']);
      return line.includes(to) && !line.includes(from);
    },
  };
}

const requirementsOf = (metadata: TableMetadata, branch: string, from: bigint): Staged['requirements'] => [
  { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
  { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': from },
];

interface FencedRollback {
  readonly from: bigint;
  readonly target: Snapshot;
  /** Newest first. */
  readonly fences: readonly Snapshot[];
  readonly fenceId: bigint;
  place(name: string): string;
}

async function fencedRollback(table: Table, branch: string, request: FencedRollback): Promise<Staged> {
  const { metadata, context } = table;
  const { from, target, fences, fenceId } = request;
  const { snapshot, objects } = buildFence({
    ref: branch,
    snapshotId: fenceId,
    sequenceNumber: metadata['last-sequence-number'] + 1,
    relocationId: fences[0]?.summary[FENCE_PROPERTY] ?? '',
    nowMs: context.clock.now(),
    metadata,
    head: target,
    manifests: await Promise.all(
      (await snapshotManifests(context.objects, target)).map((one) => withKnownCounts(context.objects, one)),
    ),
    retired: await tombstones(table, fences),
    place: request.place,
  });
  for (const object of objects) await context.objects.put(object.location, object.bytes, { if: 'absent' });
  return {
    snapshotId: fenceId,
    requirements: requirementsOf(metadata, branch, from),
    updates: [
      { action: 'add-snapshot', snapshot },
      { ...metadata.refs[branch]!, action: 'set-snapshot-ref', 'ref-name': branch, 'snapshot-id': fenceId },
    ],
  };
}

/** What the fences retire, each path once. */
async function tombstones(table: Table, fences: readonly Snapshot[]): Promise<RetiredEntry[]> {
  const retired = new Map<string, RetiredEntry>();
  const { objects } = table.context;
  for (const fence of fences) {
    for (const manifest of await snapshotManifests(objects, fence)) {
      if (manifest.addedSnapshotId !== fence['snapshot-id'] || manifest.content !== 'data') continue;
      const { schema, spec, entries } = await readManifestContent(objects, manifest);
      for (const entry of entries) {
        if (entry.status === 'deleted') {
          retired.set(entry.dataFile.filePath, { entry, content: { schema, spec } });
        }
      }
    }
  }
  return [...retired.values()];
}
