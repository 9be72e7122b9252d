import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { ancestors, type TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import { type CommitOptions, type CommitResult, commitWithRetry, type Staged } from './commit.ts';
import type { LakeContext } from './context.ts';
import type { Table } from './table.ts';

export interface FastForwardOptions extends CommitOptions {
  /** The branch that moves; default `main`. */
  readonly branch?: string;
  /** The branch or tag that it is to be at. */
  readonly to: string;
  /** Removes `to`, a branch, in the same commit. */
  readonly dropSource?: boolean;
}

/**
 * Moves a branch forward to another ref, which has to be built on it (write, audit, publish): no snapshot is made and no row is rewritten. What
 * was looked at is what is published: if the source grows meanwhile, nothing happens.
 * Errors: `not-found`, `conflict` if the branches have diverged or one moved, `invalid-argument`, as `commitWithRetry`.
 */
export async function fastForward(
  context: LakeContext,
  identifier: TableIdentifier,
  options: FastForwardOptions,
): Promise<CommitResult> {
  const branch = options.branch ?? MAIN_BRANCH;
  let audited: bigint | null = null;
  return commitWithRetry(
    context,
    identifier,
    async (table) => {
      const to = sourceId(table, options);
      if (audited !== null && audited !== to) throw grown(table, options.to);
      audited = to;
      return stageFastForward(table, branch, to, options);
    },
    options,
  );
}

function sourceId(table: Table, { to, dropSource }: FastForwardOptions): bigint {
  const ref = Object.hasOwn(table.metadata.refs, to) ? table.metadata.refs[to] : undefined;
  if (!ref) {
    throw new LakeError('not-found', `${table.name} has no branch or tag "${to}"`, {
      hint: `\`lake table branch ${table.name}\` lists its branches and tags.`,
    });
  }
  if (dropSource && (ref.type !== 'branch' || to === MAIN_BRANCH)) {
    throw new LakeError('invalid-argument', `"${to}" is not a branch that can be published and removed`, {
      hint: 'Publish a branch other than main.',
    });
  }
  return ref['snapshot-id'];
}

function grown(table: Table, source: string): LakeError {
  return new LakeError('conflict', `"${source}" of ${table.name} was changed meanwhile`, {
    hint: 'Nothing was published. Look at what came, then publish again.',
  });
}

function stageFastForward(
  table: Table,
  branch: string,
  to: bigint,
  options: FastForwardOptions,
): Staged | null {
  const { metadata } = table;
  const ref = Object.hasOwn(metadata.refs, branch) ? metadata.refs[branch] : undefined;
  if (ref?.type === 'tag') {
    throw new LakeError('invalid-argument', `"${branch}" of ${table.name} is a tag: it does not move`);
  }
  const from = ref?.['snapshot-id'] ?? null;
  if (from !== null && !isBuiltOn(metadata, to, from)) throw diverged(table, branch, options.to);
  const drops: TableUpdate[] = options.dropSource
    ? [{ action: 'remove-snapshot-ref', 'ref-name': options.to }]
    : [];
  if (from === to && drops.length === 0) return null;
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': from },
      { type: 'assert-ref-snapshot-id', ref: options.to, 'snapshot-id': to },
    ],
    updates: [
      { ...(ref ?? { type: 'branch' }), action: 'set-snapshot-ref', 'ref-name': branch, 'snapshot-id': to },
      ...drops,
    ],
    applied: (current) => {
      const head = current.refs[branch]?.['snapshot-id'];
      return head !== undefined && isBuiltOn(current, head, to);
    },
  };
}

/** True if the snapshot is the other one or descends from it. */
function isBuiltOn(metadata: TableMetadata, id: bigint, base: bigint): boolean {
  for (const snapshot of ancestors(metadata, id)) if (snapshot['snapshot-id'] === base) return true;
  return false;
}

function diverged(table: Table, branch: string, to: string): LakeError {
  return new LakeError(
    'conflict',
    `"${branch}" of ${table.name} cannot be fast-forwarded to "${to}": it has snapshots that "${to}" is not built on`,
    {
      hint: `Nothing was changed. Pick single snapshots with \`lake table cherry-pick\`, or make "${to}" anew from "${branch}".`,
    },
  );
}
