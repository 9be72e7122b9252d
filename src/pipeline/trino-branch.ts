import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { quoteName, viewName } from '../engine/sql-text.ts';
import type { TrinoEngine } from '../engine/trino.ts';
import { isCancelled } from '../engine/trino-error.ts';
import { dataRead, isRead, readsOf } from '../engine/trino-reads.ts';
import { isKind, LakeError } from '../errors.ts';
import { branchIdentifier } from '../iceberg/branch-name.ts';
import { snapshotForRef } from '../iceberg/table-metadata.ts';
import { commitWithRetry, type Staged } from '../table/commit.ts';
import { newChange } from '../table/snapshot-files.ts';
import { branchSnapshot, stageSnapshot } from '../table/stage-snapshot.ts';
import { openTable, type Table } from '../table/table.ts';
import { otherWriter, type TrinoResult, type Work } from './build-work.ts';
import { mainSnapshotId } from './model-state.ts';
import { dropTrinoBranch, trinoBranch } from './run-branch.ts';
import { type WrittenFiles, writtenSince } from './written-files.ts';

/** Branches that this process has begun and not dropped. */
const open = new Set<TableIdentifier>();

/** True while there is something to clear away before the process may go. */
export const hasOpenBranches = (): boolean => open.size > 0;

/** Far longer than a run: no expiry by age may take the branch, whose first snapshot may be old. */
const KEPT_MS = 10 * 365 * 86_400_000;

/**
 * Lets Trino write to a branch of a model's table, which it sees as a table (see docs/catalog.md, "A branch by name"), and hands `use` the files that it wrote. The branch is
 * Trino's alone, begins at main, and goes when `use` is done: nothing of its line of snapshots is ever published.
 *
 * @param statements on the table that `target` names, in their order
 * @returns null where Trino does not find the branch by its name, since another catalog serves the table: nothing was written
 * @throws LakeError `conflict` where main has moved, `unavailable` where Trino is lost: nothing is published
 */
export async function withWrittenByTrino<T>(
  work: Work,
  { trino }: TrinoResult,
  statements: (target: string) => readonly string[],
  use: (written: WrittenFiles) => Promise<T>,
): Promise<T | null> {
  const { lake } = work.context;
  const { identifier } = work.table;
  const branch = trinoBranch(work.context.branch);
  const name = branchIdentifier(identifier, branch);
  open.add(name);
  try {
    const start = (await startBranch(work, branch))['snapshot-id'];
    if (!(await isFound(trino, name, start))) return null;
    for (const sql of statements(`${quoteName(trino.catalog)}.${viewName(name)}`)) {
      await trino.run(sql).catch(lost);
    }
    const table = await openTable(lake, identifier);
    return await use(await writtenSince(table, branch, start));
  } finally {
    await dropTrinoBranch(lake, identifier, branch);
    open.delete(name);
  }
}

/** The branch at main's head. A table without a snapshot gets an empty one: by a branch's name it has to have a state. */
async function startBranch(work: Work, branch: string) {
  const { context, model, table: known } = work;
  const base = mainSnapshotId(known.metadata);
  const change = newChange(context.lake.clock);
  const derive = async (current: Table): Promise<Staged> => {
    if (mainSnapshotId(current.metadata) !== base) throw otherWriter(model);
    if (base === null) return stageSnapshot(current, change, { operation: 'append', added: [], branch });
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: current.metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': null },
      ],
      updates: [
        {
          action: 'set-snapshot-ref',
          'ref-name': branch,
          type: 'branch',
          'snapshot-id': base,
          'max-ref-age-ms': KEPT_MS,
        },
      ],
      applied: ({ refs }) => refs[branch]?.['snapshot-id'] === base,
    };
  };
  const options = { writtenFor: known.metadata };
  const { table } = await commitWithRetry(context.lake, known.identifier, derive, options).catch(lost);
  const start = snapshotForRef(table.metadata, branch) ?? branchSnapshot(table.metadata);
  if (start === undefined)
    throw new LakeError('internal', `the branch ${branch} of ${model.id} has no snapshot`);
  return start;
}

/** Trino's own plan has to say that it would read the branch as it begins. Where it says anything else, or does not know the name, nothing is written by it. */
async function isFound(trino: TrinoEngine, name: TableIdentifier, start: bigint): Promise<boolean> {
  const read = dataRead(trino.catalog, [...name.namespace, name.name].join('.'), start);
  try {
    const reads = await readsOf(trino, `SELECT * FROM ${quoteName(trino.catalog)}.${viewName(name)}`);
    return reads.length > 0 && reads.every((one) => isRead(one, read));
  } catch (error) {
    if (!(error instanceof LakeError) || isCancelled(error)) throw error;
    return false;
  }
}

/** Whatever became of it, it is on Trino's branch alone. */
function lost(error: unknown): never {
  if (!isKind(error, 'unknown-outcome')) throw error;
  throw new LakeError('unavailable', error.message, {
    hint: 'It was on a branch of its own alone: nothing of silver and gold was published. Run again.',
    cause: error,
  });
}
