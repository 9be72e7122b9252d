import { tierOf } from '../../../config.ts';
import { tableFiles } from '../../../table/history.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import { scanPoint } from '../../scan-point.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText } from '../../units.ts';

/** `lake table files TABLE`: the files that a snapshot reads. */
export const addTableFiles: CommandFactory = (parent, run) => {
  const command = parent
    .command('files')
    .description('the data and delete files of a table, with partition, tier and size')
    .argument('<table>', 'NAMESPACE.TABLE')
    .option('--as-of <point>', 'of a snapshot id, a time, a branch or a tag')
    .action((name: string, options: { asOf?: string }) =>
      run((session) => files(session, name, options.asOf)),
    );
  withExamples(command, [
    ['lake table files gold.fct_flight --output ndjson', 'one file a line, with its full location'],
  ]);
};

async function files(session: Session, name: string, asOf: string | undefined): Promise<void> {
  const lake = await session.lake();
  const table = await findTable(lake, name);
  const rows = (await tableFiles(table, scanPoint(table, asOf))).map((row) => ({
    partition: row.partition,
    tier: tierOf(lake.config.tiers, row.location).name,
    content: row.content,
    records: row.records,
    bytes: row.size,
    location: row.location,
    spec_id: row.specId,
    sequence_number: row.sequenceNumber,
    snapshot_id: row.snapshotId.toString(),
  }));
  await session.output.rows(rows, {
    empty: 'The table has no files.',
    columns: [
      { key: 'partition' },
      { key: 'tier' },
      { key: 'content' },
      { key: 'records', align: 'right', format: countText },
      { key: 'bytes', align: 'right', format: bytesText },
      { key: 'location' },
    ],
  });
}
