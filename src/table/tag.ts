import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH, type SnapshotRef } from '../iceberg/refs.ts';
import { currentSnapshot, snapshotById, type TableMetadata } from '../iceberg/table-metadata.ts';
import { type CommitResult, commitWithRetry, type Staged } from './commit.ts';
import type { LakeContext } from './context.ts';
import type { Table } from './table.ts';

export interface RefOptions {
  readonly name: string;
  /** Default: what `main` is at. */
  readonly snapshotId?: bigint;
  readonly type?: 'tag' | 'branch';
  /** How long the ref keeps its snapshots, in ms. */
  readonly maxRefAgeMs?: number;
}

function refSnapshot(table: Table, options: RefOptions): bigint {
  const { metadata } = table;
  const snapshot =
    options.snapshotId === undefined ? currentSnapshot(metadata) : snapshotById(metadata, options.snapshotId);
  if (snapshot) return snapshot['snapshot-id'];
  throw new LakeError(
    'not-found',
    options.snapshotId === undefined
      ? `${table.name} has no snapshot yet`
      : `There is no snapshot ${options.snapshotId} in ${table.name}`,
    {
      hint: `Look at \`lake table history ${table.name}\`.`,
    },
  );
}

const isAt = (metadata: TableMetadata, name: string, id: bigint | undefined): boolean =>
  metadata.refs[name]?.['snapshot-id'] === id;

/**
 * Gives a snapshot a name: a tag, or a branch that grows from it. A ref of the name that is at this snapshot already is fine.
 * Errors: `already-exists` for one that is elsewhere, `not-found` for the snapshot, as `commitWithRetry`.
 */
export async function createRef(
  context: LakeContext,
  identifier: TableIdentifier,
  options: RefOptions,
): Promise<CommitResult> {
  const type = options.type ?? 'tag';
  return commitWithRetry(context, identifier, async (table) => {
    const id = refSnapshot(table, options);
    const there = table.metadata.refs[options.name];
    if (there && there.type === type && there['snapshot-id'] === id) return null;
    if (there) {
      throw new LakeError(
        'already-exists',
        `${table.name} has a ${there.type} "${options.name}" already, at snapshot ${there['snapshot-id']}`,
        {
          hint: 'Choose another name, or remove it first.',
        },
      );
    }
    const ref: SnapshotRef = {
      type,
      'snapshot-id': id,
      ...(options.maxRefAgeMs === undefined ? {} : { 'max-ref-age-ms': options.maxRefAgeMs }),
    };
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: options.name, 'snapshot-id': null },
      ],
      updates: [{ action: 'set-snapshot-ref', 'ref-name': options.name, ...ref }],
      applied: (metadata) => isAt(metadata, options.name, id),
    } satisfies Staged;
  });
}

/** Removes a branch or tag; one that is gone already is fine. Errors: `invalid-argument` for `main`. */
export async function removeRef(
  context: LakeContext,
  identifier: TableIdentifier,
  name: string,
): Promise<CommitResult> {
  if (name === MAIN_BRANCH) {
    throw new LakeError('invalid-argument', 'The branch main cannot be removed', {
      hint: 'Drop the table, or remove another branch.',
    });
  }
  return commitWithRetry(context, identifier, async (table) => {
    const ref = table.metadata.refs[name];
    if (!ref) return null;
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: name, 'snapshot-id': ref['snapshot-id'] },
      ],
      updates: [{ action: 'remove-snapshot-ref', 'ref-name': name }],
      applied: (metadata) => metadata.refs[name] === undefined,
    } satisfies Staged;
  });
}
