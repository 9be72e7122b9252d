import { tablePartitions } from '../../../table/history.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import { scanPoint } from '../../scan-point.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText } from '../../units.ts';

/** `lake table partitions TABLE`: files, rows and bytes by partition. */
export const addTablePartitions: CommandFactory = (parent, run) => {
  const command = parent
    .command('partitions')
    .description('the partitions of a table, with files, rows and bytes')
    .argument('<table>', 'NAMESPACE.TABLE')
    .option('--as-of <point>', 'of a snapshot id, a time, a branch or a tag')
    .action((name: string, options: { asOf?: string }) =>
      run((session) => partitions(session, name, options.asOf)),
    );
  withExamples(command, [['lake table partitions gold.fct_flight', 'a line for every day of flights']]);
};

async function partitions(session: Session, name: string, asOf: string | undefined): Promise<void> {
  const table = await findTable(await session.lake(), name);
  const rows = (await tablePartitions(table, scanPoint(table, asOf))).map((row) => ({
    partition: row.partition,
    files: row.files,
    records: row.records,
    bytes: row.bytes,
    delete_files: row.deleteFiles,
    deleted_records: row.deletedRecords,
    spec_id: row.specId,
  }));
  await session.output.rows(rows, {
    empty: 'The table has no files.',
    columns: [
      { key: 'partition', format: (value) => (value === '' ? '(unpartitioned)' : String(value)) },
      { key: 'files', align: 'right', format: countText },
      { key: 'records', align: 'right', format: countText },
      { key: 'bytes', align: 'right', format: bytesText },
      { key: 'delete_files', heading: 'delete files', align: 'right', format: countText },
      { key: 'deleted_records', heading: 'deleted rows', align: 'right', format: countText },
    ],
  });
}
