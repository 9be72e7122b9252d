import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isDatabaseUrl } from '../../../config.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { countText, timeText } from '../../units.ts';
import { ownCatalog } from './own-catalog.ts';
import { problemsOf, problemsText } from './restored-report.ts';

/** `lake catalog restore FILE` */
export const addCatalogRestore: CommandFactory = (parent, run) => {
  const command = parent
    .command('restore')
    .description('bring a backup into an empty catalog of either kind, all or nothing, and check its tables')
    .argument('<file>', 'what `lake catalog backup` wrote')
    .option('--into <place>', "a path, or postgres://…; default: the project's own catalog")
    .action((file: string, options: { into?: string }) =>
      run((session) => restoreCatalog(session, file, options.into)),
    );
  withExamples(command, [
    ['lake catalog restore catalog-2026-11-21.backup', "into the project's catalog, which has to be empty"],
    [
      'lake catalog restore catalog.backup --into "postgres://lake@db/lake?schema=restored"',
      'into another database; then write it under catalog.embedded',
    ],
  ]);
};

async function restoreCatalog(session: Session, file: string, into: string | undefined): Promise<void> {
  const own = await ownCatalog(session, 'restore');
  const { openSqlDatabase } = await import('../../../../catalog/store/open-store.ts');
  const { restoreBackup } = await import('../../../../catalog/operations/restore.ts');
  const path = resolve(session.terminal.cwd, file);
  const place = into === undefined ? own.database : placeOf(session, into);
  if (!isDatabaseUrl(place)) await mkdir(dirname(place), { recursive: true });
  const database = await openSqlDatabase(place, session.clock);
  const { rows, createdAtMs, endedMoves } = await restoreBackup(database, path).finally(() =>
    database.close(),
  );
  const problems = await problemsOf(session, own, place);
  const moves =
    endedMoves.length === 0
      ? []
      : [`Moves that were copying are ended (${endedMoves.length}); \`lake orphans\` finds what they left.`];
  session.output.result(
    {
      restored: database.where,
      backup_created_at: new Date(createdAtMs).toISOString(),
      rows,
      ended_moves: endedMoves,
      problems: problems.map(({ namespace, name, ...rest }) => ({
        table: [...namespace, name].join('.'),
        ...rest,
      })),
    },
    [
      `Restored into ${database.where} what the catalog held at ${timeText(createdAtMs)} (tables: ${countText(rows['tables'])}, namespaces: ${countText(rows['namespaces'])}).`,
      ...moves,
      problemsText(problems),
    ].join('\n'),
  );
}

/** A path is taken from where the user is. */
export function placeOf(session: Session, place: string): string {
  return isDatabaseUrl(place) ? place : resolve(session.terminal.cwd, place);
}
