import { purgeDropped } from '../../../catalog-client/dropped-table.ts';
import { tableName } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findDropped } from '../../dropped-tables.ts';
import type { Session } from '../../session.ts';

/** `lake table purge TABLE`: deletes the files of a dropped table. */
export const addTablePurge: CommandFactory = (parent, run) => {
  const command = parent
    .command('purge')
    .description('delete the files of a dropped table; it cannot be brought back then')
    .argument('<table>', 'NAMESPACE.TABLE as it was when it was dropped (the one dropped last), or its id')
    .action((table: string) => run((session) => purge(session, table)));
  withExamples(command, [
    ['lake table list --dropped', 'what can be purged'],
    ['lake table purge silver.flights', 'asks first; files that another table names stay'],
  ]);
};

async function purge(session: Session, text: string): Promise<void> {
  const { catalog } = await session.lake();
  const { id, namespace, table, 'dropped-at-ms': droppedAtMs } = await findDropped(catalog, text);
  const name = tableName({ namespace, name: table });
  const when = new Date(droppedAtMs).toISOString();
  await session.confirm(`Delete all files of ${name}, dropped at ${when}? They cannot be brought back.`);
  await purgeDropped(catalog, id);
  session.output.result(
    { table: name, id, purged: true },
    `The files of ${name} are being deleted; \`lake table list --dropped\` shows when they are gone.`,
  );
}
