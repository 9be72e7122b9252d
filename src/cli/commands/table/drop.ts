import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

/** `lake table drop TABLE`: takes a table out of the catalog. */
export const addTableDrop: CommandFactory = (parent, run) => {
  const command = parent
    .command('drop')
    .description('take a table out of the catalog; `undrop` brings it back as long as its files are there')
    .argument('<table>', 'NAMESPACE.TABLE')
    .option('--purge', 'delete its files too: it cannot be brought back')
    .action((name: string, options: { purge?: true }) =>
      run((session) => dropTable(session, name, options.purge === true)),
    );
  withExamples(command, [['lake table drop silver.flight', 'asks first; --yes goes ahead without']]);
};

/** The catalog deletes what nothing else names, and waits while that cannot be proven. */
const PURGED =
  'Its own files are deleted as soon as it is proven that no other table names them; `lake table undrop` shows what has become of it.';

async function dropTable(session: Session, name: string, purge: boolean): Promise<void> {
  const lake = await session.lake();
  const { identifier, metadata, metadataLocation } = await findTable(lake, name);
  const snapshots = metadata.snapshots.length;
  await session.confirm(
    `Drop ${name} with its ${snapshots} snapshots${purge ? ' and all of its files? This cannot be taken back.' : '? Its files stay, and `lake table undrop` brings it back.'}`,
  );
  await lake.catalog.dropTable(identifier, { purge });
  session.output.result(
    {
      table: name,
      dropped: true,
      purged: purge,
      location: metadata.location,
      metadata: metadataLocation ?? null,
    },
    `Dropped ${name}. ${purge ? PURGED : `Its files stay below ${metadata.location} (and in other tiers). To bring it back: lake table undrop ${name}`}`,
  );
}
