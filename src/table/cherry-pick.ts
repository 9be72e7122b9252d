import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { ancestors, snapshotById } from '../iceberg/table-metadata.ts';
import { type CommitOptions, type CommitResult, commitWithRetry, type Staged } from './commit.ts';
import type { LakeContext } from './context.ts';
import { liveEntries, readManifestContent, snapshotManifests } from './manifests.ts';
import { type AddedFile, newChange } from './snapshot-files.ts';
import { branchSnapshot, stageSnapshot } from './stage-snapshot.ts';
import type { Table } from './table.ts';

export interface CherryPickOptions extends CommitOptions {
  readonly snapshotId: bigint;
  /** Where it goes; default `main`. */
  readonly branch?: string;
}

/** In a snapshot's summary (as Iceberg Java has them): the snapshot it was picked from, and that one's write-audit-publish id. */
const SOURCE_SNAPSHOT = 'source-snapshot-id';
const STAGED_WAP_ID = 'wap.id';
const PUBLISHED_WAP_ID = 'published-wap-id';

/**
 * Brings a snapshot of another branch, or one that no branch holds, onto a branch. Built on the branch's head, it becomes the head itself; else an
 * append's files are added in a new snapshot. Everything else depends on what it was built on and is refused.
 * Errors: `not-found`; `already-exists` if the branch has it already, by ancestry, source or files; `unsupported`; as `commitWithRetry`.
 */
export async function cherryPick(
  context: LakeContext,
  identifier: TableIdentifier,
  options: CherryPickOptions,
): Promise<CommitResult> {
  const ids = newChange(context.clock);
  const branch = options.branch ?? MAIN_BRANCH;
  return commitWithRetry<Staged>(
    context,
    identifier,
    async (table) => {
      const picked = snapshotOf(table, options.snapshotId);
      const head = branchSnapshot(table.metadata, branch);
      const oldest = refusePublished(table, branch, head, picked);
      if (head?.['snapshot-id'] === picked['parent-snapshot-id'])
        return becomeHead(table, branch, head, picked);
      if (picked.summary.operation !== 'append') throw notAnAppend(table, branch, picked);
      const added = await addedFiles(table, picked);
      await refuseLive(table, branch, head, added);
      refuseCut(table, branch, oldest, picked);
      const wapId = picked.summary[STAGED_WAP_ID];
      return stageSnapshot(table, ids, {
        operation: 'append',
        branch,
        added,
        properties: {
          [SOURCE_SNAPSHOT]: String(options.snapshotId),
          ...(wapId === undefined ? {} : { [PUBLISHED_WAP_ID]: wapId }),
        },
      });
    },
    options,
  );
}

function snapshotOf(table: Table, id: bigint): Snapshot {
  const found = snapshotById(table.metadata, id);
  if (found) return found;
  throw new LakeError('not-found', `There is no snapshot ${id} in ${table.name}`, {
    hint: `Look at \`lake table history ${table.name}\`.`,
  });
}

/** Returns the oldest snapshot of the branch that is still there. */
function refusePublished(
  table: Table,
  branch: string,
  head: Snapshot | undefined,
  picked: Snapshot,
): Snapshot | undefined {
  const id = picked['snapshot-id'];
  const wapId = picked.summary[STAGED_WAP_ID];
  let oldest: Snapshot | undefined;
  for (const one of head ? ancestors(table.metadata, head['snapshot-id']) : []) {
    oldest = one;
    const same =
      one['snapshot-id'] === id ||
      one.summary[SOURCE_SNAPSHOT] === String(id) ||
      (wapId !== undefined &&
        (one.summary[PUBLISHED_WAP_ID] === wapId || one.summary[STAGED_WAP_ID] === wapId));
    if (same) throw alreadyThere(table, branch, `snapshot ${id}`, one['snapshot-id']);
  }
  return oldest;
}

/** Of a branch whose older snapshots are expired: the pick may be among these, and its files compacted into others. */
function refuseCut(table: Table, branch: string, oldest: Snapshot | undefined, picked: Snapshot): void {
  const cut = (oldest?.['parent-snapshot-id'] ?? null) !== null;
  if (!cut || (oldest?.['sequence-number'] ?? 0) <= (picked['sequence-number'] ?? 0)) return;
  throw new LakeError(
    'conflict',
    `Whether "${branch}" of ${table.name} has snapshot ${picked['snapshot-id']} already cannot be told: snapshots since are expired`,
    { hint: 'Nothing was changed. Read the rows as of that snapshot and insert those that are missing.' },
  );
}

function alreadyThere(table: Table, branch: string, what: string, at: bigint): LakeError {
  return new LakeError(
    'already-exists',
    `"${branch}" of ${table.name} has ${what} already, in snapshot ${at}`,
    {
      hint: 'Nothing was changed: picking it again would show its rows twice.',
    },
  );
}

function becomeHead(table: Table, branch: string, head: Snapshot | undefined, picked: Snapshot): Staged {
  const { metadata } = table;
  const id = picked['snapshot-id'];
  const ref = Object.hasOwn(metadata.refs, branch) ? metadata.refs[branch] : undefined;
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      {
        type: 'assert-ref-snapshot-id',
        ref: branch,
        'snapshot-id': ref ? (head?.['snapshot-id'] ?? null) : null,
      },
    ],
    updates: [
      { ...(ref ?? { type: 'branch' }), action: 'set-snapshot-ref', 'ref-name': branch, 'snapshot-id': id },
    ],
    applied: (current) => {
      const at = current.refs[branch]?.['snapshot-id'];
      return at !== undefined && [...ancestors(current, at)].some((one) => one['snapshot-id'] === id);
    },
  };
}

function notAnAppend(table: Table, branch: string, picked: Snapshot): LakeError {
  const { operation } = picked.summary;
  return new LakeError(
    'unsupported',
    `Snapshot ${picked['snapshot-id']} (${operation}) of ${table.name} was not built on the head of "${branch}"`,
    { hint: 'Only appends can be picked onto another state. Make the change again on the branch itself.' },
  );
}

/** The data files that a snapshot added, under the paths at which they lie now. */
async function addedFiles(table: Table, picked: Snapshot): Promise<AddedFile[]> {
  const { objects } = table.context;
  const added: AddedFile[] = [];
  for (const manifest of await snapshotManifests(objects, picked)) {
    if (manifest.addedSnapshotId !== picked['snapshot-id']) continue;
    for (const { status, dataFile } of (await readManifestContent(objects, manifest)).entries) {
      if (status === 'existing') continue;
      if (status === 'deleted' || dataFile.content !== 'data') throw notAnAppend(table, 'the branch', picked);
      added.push({ dataFile, specId: manifest.partitionSpecId });
    }
  }
  return added;
}

/** Summaries go with expired snapshots; files that are there already tell all the same. */
async function refuseLive(
  table: Table,
  branch: string,
  head: Snapshot | undefined,
  added: readonly AddedFile[],
): Promise<void> {
  if (!head) return;
  const paths = new Set(added.map((file) => file.dataFile.filePath));
  for await (const { entry } of liveEntries(table.context.objects, head, 'data')) {
    const { filePath } = entry.dataFile;
    if (paths.has(filePath)) throw alreadyThere(table, branch, filePath, entry.snapshotId);
  }
}
