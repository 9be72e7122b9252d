import { currentSnapshot } from '../../../iceberg/table-metadata.ts';
import { openTable } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { allTables } from '../../find-table.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, timeText } from '../../units.ts';
import { visibleRecords } from '../../visible-records.ts';

/** `lake table list`: every table with its size. */
export const addTableList: CommandFactory = (parent, run) => {
  const command = parent
    .command('list')
    .description('every table with its rows and size')
    .action(() => run(list));
  withExamples(command, [['lake table list --output json', 'names, rows, files and bytes, for a script']]);
};

async function list(session: Session): Promise<void> {
  const lake = await session.lake();
  const rows = [];
  for (const identifier of await allTables(lake.catalog)) {
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
