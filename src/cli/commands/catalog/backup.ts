import { resolve } from 'node:path';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { countText } from '../../units.ts';
import { ownCatalog } from './own-catalog.ts';

/** `lake catalog backup FILE` */
export const addCatalogBackup: CommandFactory = (parent, run) => {
  const command = parent
    .command('backup')
    .description('write all that the catalog keeps, as it is at one moment, to a new file; servers go on')
    .argument('<file>', 'a new file; it holds secrets of principals and is readable by its owner alone')
    .action((file: string) => run((session) => backUpCatalog(session, file)));
  withExamples(command, [
    [
      'lake catalog backup catalog-2026-11-21.backup',
      "the tables' own files stay where they are: back up the storage too",
    ],
  ]);
};

async function backUpCatalog(session: Session, file: string): Promise<void> {
  const { database } = await ownCatalog(session, 'back up');
  const { openSqlDatabase } = await import('../../../../catalog/store/open-store.ts');
  const { backUp } = await import('../../../../catalog/operations/backup.ts');
  const path = resolve(session.terminal.cwd, file);
  const opened = await openSqlDatabase(database, session.clock);
  try {
    const { rows, createdAtMs } = await backUp(opened, path, session.clock);
    const tables = rows['tables'] ?? 0;
    session.output.result(
      { file: path, created_at: new Date(createdAtMs).toISOString(), rows },
      `Wrote ${path} (tables: ${countText(tables)}, namespaces: ${countText(rows['namespaces'])}). Keep it as you keep a key: it holds secrets.`,
    );
  } finally {
    await opened.close();
  }
}
