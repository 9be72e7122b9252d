import { tableHistory } from '../../../table/history.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';
import { countText } from '../../units.ts';
import { visibleRecords } from '../../visible-records.ts';

/** `lake table history TABLE`: the snapshots, oldest first. */
export const addTableHistory: CommandFactory = (parent, run) => {
  const command = parent
    .command('history')
    .description('the snapshots of a table, oldest first, with the branches and tags at them')
    .argument('<table>', 'NAMESPACE.TABLE')
    .action((name: string) => run((session) => history(session, name)));
  withExamples(command, [
    ['lake table history gold.fct_flight', 'take an id from it for `lake sql --as-of ID`'],
  ]);
};

async function history(session: Session, name: string): Promise<void> {
  const table = await findTable(await session.lake(), name);
  const rows = tableHistory(table).map((row) => ({
    snapshot_id: row.snapshotId.toString(),
    parent_id: row.parentId?.toString() ?? null,
    sequence_number: row.sequenceNumber,
    committed: new Date(row.timestampMs).toISOString(),
    operation: row.operation,
    refs: row.refs,
    records: visibleRecords(row.summary),
    summary: row.summary,
  }));
  await session.output.rows(rows, {
    empty: 'The table has no snapshot yet.',
    columns: [
      { key: 'snapshot_id', heading: 'snapshot', align: 'right' },
      {
        key: 'committed',
        format: (value) =>
          String(value)
            .replace('T', ' ')
            .replace(/\.\d+Z/, 'Z'),
      },
      { key: 'operation' },
      { key: 'records', align: 'right', format: countText },
      {
        key: 'refs',
        heading: 'branches and tags',
        format: (value) => (Array.isArray(value) ? value.join(', ') : ''),
      },
    ],
  });
}
