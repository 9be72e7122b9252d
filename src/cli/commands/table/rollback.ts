import { rollback } from '../../../table/rollback.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

interface Options {
  readonly to: string;
  readonly branch: string;
}

/** `lake table rollback TABLE --to SNAPSHOT|TIME|TAG`: the table shows an earlier state again; what came since stays in its history. */
export const addTableRollback: CommandFactory = (parent, run) => {
  const command = parent
    .command('rollback')
    .description('set a table back to an earlier snapshot; later ones stay readable until they expire')
    .argument('<table>', 'NAMESPACE.TABLE')
    .requiredOption(
      '--to <point>',
      'a snapshot id, a tag, or a time (the newest snapshot that is not younger)',
    )
    .option('--branch <name>', 'the branch that is set back', 'main')
    .action((name: string, options: Options) => run((session) => rollBack(session, name, options)));
  withExamples(command, [
    ['lake table rollback gold.fct_flight --to 2001-h1', 'back to what the tag names'],
    ['lake table rollback gold.fct_flight --to 2001-07-01T06:00:00Z', 'back to what it was then'],
  ]);
};

async function rollBack(session: Session, name: string, options: Options): Promise<void> {
  const lake = await session.lake();
  const { identifier } = await findTable(lake, name);
  const done = await rollback(lake, identifier, options);
  const result = {
    table: name,
    branch: options.branch,
    from: done.from.toString(),
    to: done.to.toString(),
    fence: done.fence?.toString() ?? null,
    changed: done.staged !== null,
  };
  session.output.result(result, rolledBackText(result));
}

function rolledBackText(result: {
  table: string;
  branch: string;
  from: string;
  to: string;
  fence: string | null;
  changed: boolean;
}): string {
  const where = `${result.branch} of ${result.table}`;
  if (!result.changed) return `${where} is at snapshot ${result.to} already: nothing was changed.`;
  const fence =
    result.fence === null
      ? ''
      : ` Its files moved between tiers since: snapshot ${result.fence} shows the same rows at their new places.`;
  return `${where} was set back from snapshot ${result.from} to ${result.to}.${fence} Snapshot ${result.from} stays readable until it expires; a tag keeps it.`;
}
