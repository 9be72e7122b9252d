import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { snapshotById, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';
import { COLUMNS, type RacedStatement, ROW_TEXT } from './raced-statements.ts';

/** In a snapshot's summary, by Trino: the statement that made it. */
export const QUERY_ID = 'trino_query_id';

/**
 * What every snapshot of the main branch is to answer: the rows of a table that has never been moved, to which DuckDB applies the statements in the order in which
 * the catalog took them.
 *
 * @param statements by Trino's query id, all that were sent, whatever became of them
 * @returns by snapshot id, the rows as sorted text
 * @throws Error for a snapshot that none of the statements, and no move, has made
 */
export async function twinRows(
  lake: Lake,
  metadata: TableMetadata,
  statements: ReadonlyMap<string, RacedStatement>,
): Promise<Map<bigint, readonly string[]>> {
  const engine = await openLakeEngine(lake);
  try {
    await engine.run(`CREATE TABLE twin (${COLUMNS})`);
    const expected = new Map<bigint, readonly string[]>();
    for (const snapshot of mainHistory(metadata)) {
      const { summary } = snapshot;
      const made = statements.get(summary[QUERY_ID] ?? '');
      if (made === undefined && summary[FENCE_PROPERTY] === undefined && !isEmpty(snapshot))
        throw new Error(`nobody made snapshot ${snapshot['snapshot-id']}: ${JSON.stringify(summary)}`);
      if (made !== undefined && made.kind !== 'optimize')
        await engine.run(made.sql.replace('{table}', 'twin'));
      const rows = await engine.all(`SELECT ${ROW_TEXT} AS r FROM twin ORDER BY r`);
      expected.set(
        snapshot['snapshot-id'],
        rows.map((row) => String(row['r'])),
      );
    }
    return expected;
  } finally {
    await engine.close();
  }
}

/** Trino's CREATE TABLE makes a snapshot without rows. */
const isEmpty = ({ summary }: Snapshot): boolean => summary['total-records'] === '0';

/** The snapshots of the main branch, oldest first. */
export function mainHistory(metadata: TableMetadata): Snapshot[] {
  const history: Snapshot[] = [];
  for (let id = metadata.refs['main']?.['snapshot-id']; id !== undefined; ) {
    const snapshot = snapshotById(metadata, id);
    if (snapshot === undefined) break;
    history.unshift(snapshot);
    id = snapshot['parent-snapshot-id'];
  }
  return history;
}
