import { quoteName, viewName } from '../engine/sql-text.ts';
import type { TrinoEngine } from '../engine/trino.ts';
import { isKind, LakeError } from '../errors.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { snapshotForRef } from '../iceberg/table-metadata.ts';
import { commitWithRetry } from '../table/commit.ts';
import { newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import { openTable, type Table } from '../table/table.ts';
import { otherWriter, remembered, type StagedChanges, type TrinoResult, type Work } from './build-work.ts';
import { mainSnapshotId } from './model-state.ts';
import { dropBranch } from './publish.ts';

/** What Trino is to do on the run's branch of a model's table. */
export interface TrinoChange {
  /** Paths of the files that go first. */
  readonly removed: ReadonlySet<string>;
  /** Statements on the table that `target` names, in their order; each makes one snapshot, or none. */
  readonly statements: (target: string) => readonly string[];
  /** How many partitions are others afterwards. */
  readonly partitions: number;
}

/**
 * Lets Trino write to the run's branch, which it sees as a table (see docs/catalog.md, "A branch by name"): main is not touched, and publishing goes forward to the branch as
 * with the embedded engine. Each statement is checked by the snapshot that it left.
 *
 * @returns null where Trino finds no table by the branch's name, since another catalog serves it: nothing is left behind
 * @throws LakeError `conflict` where main has moved, `unavailable` where Trino is lost or the branch does not hold what it says: nothing is published
 */
export async function writeOnBranch(
  work: Work,
  result: TrinoResult,
  change: TrinoChange,
): Promise<StagedChanges | null> {
  const base = mainSnapshotId(work.table.metadata);
  let table = await startBranch(work, change.removed);
  const target = `${quoteName(result.trino.catalog)}.${viewName(branchIdentifier(work))}`;
  try {
    if (!(await isFound(result.trino, target))) {
      await dropBranch(work.context.lake, table, work.context.branch, headOf(work, table)['snapshot-id']);
      return null;
    }
    const written = { rows: 0, files: 0 };
    for (const sql of change.statements(target)) {
      const rows = await result.trino.run(sql).catch(lost);
      const added = await addedBy(work, table, rows);
      written.rows += added.rows;
      written.files += added.files;
      table = added.table;
    }
    const { 'snapshot-id': head, 'sequence-number': sequence } = headOf(work, table);
    const properties = remembered(work, { snapshotId: head, sequence }, true);
    return { ...written, partitions: change.partitions, staged: { table, base, head, properties } };
  } catch (error) {
    await leaveToRun(work, base);
    throw error;
  }
}

function branchIdentifier({ table, context }: Work) {
  const { namespace, name } = table.identifier;
  return { namespace, name: `${name}.branch_${context.branch}` };
}

/** The branch with a first snapshot, without the files that go: Trino's statements need one to follow. */
async function startBranch(work: Work, removed: ReadonlySet<string>): Promise<Table> {
  const { context, model, table: known, versions } = work;
  const base = mainSnapshotId(known.metadata);
  const change = newChange(context.lake.clock);
  const derive = async (current: Table) => {
    if (mainSnapshotId(current.metadata) !== base) throw otherWriter(model);
    return stageSnapshot(current, change, {
      operation: removed.size === 0 ? 'append' : 'delete',
      added: [],
      removed,
      branch: context.branch,
      properties: { 'lake.run-id': context.runId, 'lake.inputs': JSON.stringify(versions) },
    });
  };
  const options = { writtenFor: known.metadata };
  return (await commitWithRetry(context.lake, known.identifier, derive, options)).table;
}

async function isFound(trino: TrinoEngine, target: string): Promise<boolean> {
  try {
    await trino.describe(`SELECT * FROM ${target}`);
    return true;
  } catch (error) {
    if (isKind(error, 'not-found')) return false;
    throw error;
  }
}

/** Whatever it did, it did on the branch alone. */
function lost(error: unknown): never {
  if (!isKind(error, 'unknown-outcome')) throw error;
  throw new LakeError('unavailable', error.message, {
    hint: 'It wrote to the branch of the run alone: nothing of silver and gold was published. Run again.',
    cause: error,
  });
}

interface Added {
  readonly table: Table;
  readonly rows: number;
  readonly files: number;
}

/**
 * The table behind a statement of which Trino says how many rows it wrote: the branch has to be one snapshot further with so many rows, or where it was for none. Errors: `unavailable`.
 */
async function addedBy(work: Work, before: Table, rows: number): Promise<Added> {
  const table = await openTable(work.context.lake, work.table.identifier);
  const [was, head] = [headOf(work, before), headOf(work, table)];
  if (rows === 0 && head['snapshot-id'] === was['snapshot-id']) return { table, rows, files: 0 };
  const held = Number(head.summary['added-records'] ?? 0);
  if (head['parent-snapshot-id'] === was['snapshot-id'] && held === rows) {
    return { table, rows, files: Number(head.summary['added-data-files'] ?? 0) };
  }
  throw new LakeError(
    'unavailable',
    `Trino says that it wrote ${rows} rows, and the branch ${work.context.branch} of ${table.name} got ${held}`,
    { hint: 'Nothing was published. Does another job write to the branches of runs? Run again.' },
  );
}

function headOf({ context, model }: Work, table: Table): Snapshot {
  const head = snapshotForRef(table.metadata, context.branch);
  if (head !== undefined) return head;
  throw new LakeError('conflict', `the branch ${context.branch} of ${model.id} was dropped during the run`, {
    hint: 'nothing of silver and gold was published; run it again',
  });
}

/** The run drops the branch as it is by now, with what Trino has left on it. */
async function leaveToRun({ context, model, table: known }: Work, base: bigint | null): Promise<void> {
  const table = await openTable(context.lake, known.identifier).catch(() => null);
  const head = table === null ? undefined : snapshotForRef(table.metadata, context.branch);
  if (table === null || head === undefined) return;
  context.staged.set(model.id, { table, base, head: head['snapshot-id'], properties: {} });
}
