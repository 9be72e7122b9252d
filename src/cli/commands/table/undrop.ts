import { undrop } from '../../../catalog-client/dropped-table.ts';
import { parseTableName, tableName } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findDropped, listDroppedTables } from '../../dropped-tables.ts';
import type { Session } from '../../session.ts';

/** `lake table undrop [TABLE]`: brings a dropped table back, or lists those that can be. */
export const addTableUndrop: CommandFactory = (parent, run) => {
  const command = parent
    .command('undrop')
    .description('bring a dropped table back; without a table, list the dropped ones')
    .argument('[table]', 'NAMESPACE.TABLE as it was when it was dropped; the one dropped last')
    .option('--as <table>', 'under this name')
    .action((name: string | undefined, options: { as?: string }) =>
      run((session) =>
        name === undefined ? listDroppedTables(session) : bringBack(session, name, options.as),
      ),
    );
  withExamples(command, [
    ['lake table undrop', 'what was dropped, when, and what has become of it'],
    ['lake table undrop silver.flights --as silver.flights_old', 'the name may be taken by now'],
  ]);
};

async function bringBack(session: Session, name: string, as: string | undefined): Promise<void> {
  const { catalog } = await session.lake();
  const to = as === undefined ? undefined : parseTableName(as);
  const found = await findDropped(catalog, name);
  const table = tableName(await undrop(catalog, found.id, to));
  session.output.result(
    { table, dropped_as: name, table_uuid: found['table-uuid'] },
    `${table} is back, with all of its snapshots, branches and tags.`,
  );
}
