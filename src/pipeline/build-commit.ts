import type { TableRequirement } from '../iceberg/requirements.ts';
import type { SnapshotOperation } from '../iceberg/snapshot.ts';
import { commitWithRetry } from '../table/commit.ts';
import { newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import type { Table } from '../table/table.ts';
import type { PartitionChanges } from './build-partitions.ts';
import { nothingChanged, otherWriter, remembered, type StagedChanges, type Work } from './build-work.ts';
import { mainSnapshotId } from './model-state.ts';

/** Commits what a model's new result changes in its table to the run's branch, in one snapshot. Errors: `conflict` where main has moved; as `commitWithRetry`. */
export async function commitChanges(work: Work, changes: PartitionChanges): Promise<StagedChanges> {
  const { context, model, table, versions } = work;
  const { added, removed, partitions, heldBy } = changes;
  if (added.length === 0 && removed.size === 0) return nothingChanged(work);
  const base = mainSnapshotId(table.metadata);
  const change = newChange(context.lake.clock);
  const held: TableRequirement[] =
    heldBy === undefined
      ? []
      : [{ type: 'assert-ref-snapshot-id', ref: heldBy.branch, 'snapshot-id': heldBy.head }];
  const derive = async (current: Table) => {
    if (mainSnapshotId(current.metadata) !== base) throw otherWriter(model);
    const staged = await stageSnapshot(current, change, {
      operation: operationOf(changes),
      added,
      removed,
      branch: context.branch,
      properties: { 'lake.run-id': context.runId, 'lake.inputs': JSON.stringify(versions) },
    });
    return { ...staged, requirements: [...staged.requirements, ...held] };
  };
  const options = { writtenFor: table.metadata };
  const result = await commitWithRetry(context.lake, table.identifier, derive, options);
  const snapshot = result.staged?.snapshot;
  const published =
    snapshot === undefined
      ? null
      : { snapshotId: snapshot['snapshot-id'], sequence: snapshot['sequence-number'] };
  const properties = remembered(work, published, true);
  const written = added.filter(({ dataFile }) => dataFile.content === 'data');
  return {
    rows: written.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0),
    files: written.length,
    partitions,
    staged: { table: result.table, base, head: result.snapshotId, properties },
  };
}

function operationOf({ added, removed }: PartitionChanges): SnapshotOperation {
  if (added.length === 0) return 'delete';
  const deletesRows = added.some(({ dataFile }) => dataFile.content !== 'data');
  return removed.size === 0 && !deletesRows ? 'append' : 'overwrite';
}
