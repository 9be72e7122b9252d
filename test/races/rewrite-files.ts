import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { LakeError } from '../../src/errors.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { planScan, type ScanTask, type TableScan } from '../../src/table/scan.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { openTable, type Table } from '../../src/table/table.ts';
import { writeTableSelect } from '../../src/table/write-table.ts';
import { FIRST_DAY, idOf, type RacingLake } from './racing-lake.ts';

/** How many files one rewrite takes. */
const MOST_FILES = 40;

/** Files with the deletes that apply to each, as text. */
const stateOf = (tasks: readonly ScanTask[]): string =>
  JSON.stringify(
    tasks.map((task) => [task.dataFile.filePath, task.deletes.map((one) => one.dataFile.filePath)]).sort(),
  );

/**
 * Writes the files of a day anew as one, their deletes applied, in a `replace` snapshot. It is re-validated, never blindly retried: a file that
 * went, or a delete that came meanwhile, ends it with `stale-plan`.
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
  const tasks = scan.tasks
    .filter(({ dataFile }) => dataFile.partition[0] === FIRST_DAY + day)
    .slice(0, MOST_FILES);
  if (tasks.length < 2) return 'nothing';
  const added = await writeAnew(lake, table, { ...scan, tasks });
  const removed = new Set(tasks.map((task) => task.dataFile.filePath));
  const ids = newChange(lake.clock);
  await commitWithRetry(lake, table.identifier, async (current) => {
    const now = (await planScan(current)).tasks.filter((task) => removed.has(task.dataFile.filePath));
    if (stateOf(now) !== stateOf(tasks))
      throw new LakeError('stale-plan', 'the files changed while they were written anew');
    return stageSnapshot(current, ids, { operation: 'replace', added, removed });
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
