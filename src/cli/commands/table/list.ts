import { tableNames } from '../../../catalog-client/listed-table.ts';
import { currentSnapshot } from '../../../iceberg/table-metadata.ts';
import { openTable, tableName } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { listDroppedTables } from '../../dropped-tables.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, timeText } from '../../units.ts';
import { visibleRecords } from '../../visible-records.ts';

/** `lake table list`: every table with its size. */
export const addTableList: CommandFactory = (parent, run) => {
  const command = parent
    .command('list')
    .description('every table with its rows and size')
    .option('--dropped', 'instead those that were dropped, and what has become of them')
    .action((options: { dropped?: boolean }) => run(options.dropped === true ? listDroppedTables : list));
  withExamples(command, [
    ['lake table list --output json', 'names, rows, files and bytes, for a script'],
    ['lake table list --dropped', 'what `lake table undrop` brings back and `lake table purge` deletes'],
  ]);
};

async function list(session: Session): Promise<void> {
  const lake = await session.lake();
  const rows = [];
  const identifiers = await tableNames(lake.catalog);
  for (const identifier of identifiers.sort((a, b) => (tableName(a) < tableName(b) ? -1 : 1))) {
    const { name, metadata } = await openTable(lake, identifier);
    const summary = currentSnapshot(metadata)?.summary;
    rows.push({
      table: name,
      records: visibleRecords(summary),
      files: Number(summary?.['total-data-files'] ?? 0),
      bytes: Number(summary?.['total-files-size'] ?? 0),
      snapshots: metadata.snapshots.length,
      updated: new Date(metadata['last-updated-ms']).toISOString(),
    });
  }
  await session.output.rows(rows, {
    empty: 'There are no tables yet: `lake run` builds them.',
    columns: [
      { key: 'table' },
      { key: 'records', align: 'right', format: countText },
      { key: 'files', align: 'right', format: countText },
      { key: 'bytes', align: 'right', format: bytesText },
      { key: 'snapshots', align: 'right' },
      { key: 'updated', format: (value) => timeText(Date.parse(String(value))) },
    ],
  });
}
