import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { LakeError } from '../../src/errors.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { planScan, type ScanTask, type TableScan } from '../../src/table/scan.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { openTable, type Table } from '../../src/table/table.ts';
import { writeTableSelect } from '../../src/table/write-table.ts';
import { FIRST_DAY, idOf, type RacingLake } from './racing-lake.ts';

/** How many files one rewrite takes, and how many of them become one. */
const MOST_FILES = 40;
const FILES_A_GROUP = 8;

/** Files that are written anew as one, and what of them is known to hold still. */
interface Group {
  readonly tasks: readonly ScanTask[];
  readonly added: Awaited<ReturnType<typeof writeTableSelect>>;
}

/** Files with the deletes that apply to each, as text. */
const stateOf = (tasks: readonly ScanTask[]): string =>
  JSON.stringify(
    tasks.map((task) => [task.dataFile.filePath, task.deletes.map((one) => one.dataFile.filePath)]).sort(),
  );

/**
 * Writes the files of a day anew in groups, their deletes applied, in one `replace` snapshot. It is re-validated, never blindly retried: a group
 * of which a file went, or for which a delete came meanwhile, is left as it is and the others go through; `stale-plan` if none is left.
 *
 * @param day counted from the first
 */
export async function rewriteFiles(
  lake: RacingLake,
  name: string,
  day: number,
): Promise<'rewritten' | 'nothing'> {
  const table = await openTable(lake, idOf(name));
  const scan = await planScan(table);
  const chosen = scan.tasks
    .filter(({ dataFile }) => dataFile.partition[0] === FIRST_DAY + day)
    .slice(0, MOST_FILES);
  if (chosen.length < 2) return 'nothing';
  const groups: Group[] = [];
  for (let at = 0; at < chosen.length; at += FILES_A_GROUP) {
    const tasks = chosen.slice(at, at + FILES_A_GROUP);
    groups.push({ tasks, added: await writeAnew(lake, table, { ...scan, tasks }) });
  }
  const ids = newChange(lake.clock);
  await commitWithRetry(lake, table.identifier, async (current) => {
    const now = new Map((await planScan(current)).tasks.map((task) => [task.dataFile.filePath, task]));
    const still = groups.filter(
      ({ tasks }) =>
        stateOf(tasks.flatMap(({ dataFile }) => now.get(dataFile.filePath) ?? [])) === stateOf(tasks),
    );
    if (still.length === 0)
      throw new LakeError('stale-plan', 'the files changed while they were written anew');
    const removed = new Set(still.flatMap(({ tasks }) => tasks.map((task) => task.dataFile.filePath)));
    return stageSnapshot(current, ids, {
      operation: 'replace',
      added: still.flatMap(({ added }) => added),
      removed,
    });
  });
  return 'rewritten';
}

async function writeAnew(lake: RacingLake, table: Table, scan: TableScan) {
  const view = `"rewrite ${lake.engine.nextId()}"`;
  await createTableView(lake.engine, view, scan);
  try {
    return await writeTableSelect(table, lake.engine, `SELECT * FROM ${view}`);
  } finally {
    await dropTableView(lake.engine, view);
  }
}
