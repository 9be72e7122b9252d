import type { TableCommit } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, parseTableName, type Table } from '../table/table.ts';
import { mainSnapshotId } from './model-state.ts';
import { dropTrinoBranch, isAbandoned, isTrinoBranch } from './run-branch.ts';
import type { StagedModel } from './run-context.ts';

/**
 * Publishes all staged tables at once: main goes forward to the run's branch, the branch goes, and the state is
 * remembered, in one multi-table commit that asserts both refs. After an unknown outcome the tables are looked
 * at: published is published.
 *
 * @throws LakeError `conflict` where a table's main has moved (nothing was published), `unknown-outcome`
 */
export async function publish(
  context: LakeContext,
  branch: string,
  staged: readonly StagedModel[],
): Promise<void> {
  if (staged.length === 0) return;
  try {
    await context.catalog.commitTransaction(staged.map((model) => publication(model, branch)));
  } catch (error) {
    // That the tables cannot be looked at leaves the outcome as unknown as it was: nothing may be dropped.
    const published = isKind(error, 'unknown-outcome') && wasPublished(context, staged).catch(() => false);
    if (await published) return;
    if (!isKind(error, 'conflict')) throw error;
    throw new LakeError('conflict', `another writer changed a table during the run: ${error.message}`, {
      cause: error,
      ...(error.where === undefined ? {} : { where: error.where }),
      hint: 'nothing of silver and gold was published; run it again',
    });
  }
}

function publication({ table, base, head, properties }: StagedModel, branch: string): TableCommit {
  const { metadata, identifier } = table;
  const requirements: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: MAIN_BRANCH, 'snapshot-id': base },
  ];
  const updates: TableUpdate[] = [];
  if (head !== null) {
    requirements.push({ type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': head });
    const main = metadata.refs[MAIN_BRANCH] ?? { type: 'branch' };
    updates.push({ ...main, action: 'set-snapshot-ref', 'ref-name': MAIN_BRANCH, 'snapshot-id': head });
    updates.push({ action: 'remove-snapshot-ref', 'ref-name': branch });
  }
  if (Object.keys(properties).length > 0) updates.push({ action: 'set-properties', updates: properties });
  return { identifier, requirements, updates };
}

/** All or none was published, so the first table tells. */
async function wasPublished(context: LakeContext, staged: readonly StagedModel[]): Promise<boolean> {
  const first = staged.find(({ head }) => head !== null) ?? staged[0];
  if (first === undefined) return true;
  const { metadata } = await openTable(context, first.table.identifier);
  const sameState = Object.entries(first.properties).every(
    ([key, text]) => metadata.properties[key] === text,
  );
  return sameState && mainSnapshotId(metadata) === (first.head ?? first.base);
}

/** Drops a failed run's branches. What they alone referred to is left to expiry and orphan removal. */
export async function dropBranches(
  context: LakeContext,
  branch: string,
  staged: readonly StagedModel[],
): Promise<void> {
  for (const { table, head } of staged) {
    if (head !== null) await dropBranch(context, table, branch, head);
  }
}

async function dropBranch(context: LakeContext, table: Table, branch: string, head: bigint): Promise<void> {
  try {
    await context.catalog.commitTable({
      identifier: table.identifier,
      requirements: [
        { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': head },
      ],
      updates: [{ action: 'remove-snapshot-ref', 'ref-name': branch }],
    });
  } catch (error) {
    // Gone or moved on: somebody else has dealt with it.
    if (!isKind(error, 'conflict', 'not-found')) throw error;
  }
}

/** Drops branches that killed runs left on the tables of `ids`, and says so; they would keep the tiers' moves waiting. */
export async function dropAbandonedBranches(
  context: LakeContext,
  ids: readonly string[],
  warn?: (message: string) => void,
): Promise<void> {
  for (const id of ids) {
    let table: Table;
    try {
      table = await openTable(context, parseTableName(id));
    } catch (error) {
      if (isKind(error, 'not-found')) continue;
      throw error;
    }
    for (const [name, ref] of Object.entries(table.metadata.refs)) {
      const head = table.metadata.snapshots.find((s) => s['snapshot-id'] === ref['snapshot-id']);
      const headMs = head?.['timestamp-ms'] ?? 0;
      if (ref.type !== 'branch' || !isAbandoned(name, headMs, context.clock.now())) continue;
      warn?.(`the branch ${name} of ${id}, left behind by a run that did not end, is dropped`);
      if (isTrinoBranch(name)) await dropTrinoBranch(context, table.identifier, name);
      else await dropBranch(context, table, name, ref['snapshot-id']);
    }
  }
}
