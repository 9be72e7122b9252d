import { fastForward } from '../../../table/fast-forward.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

interface Options {
  readonly onto: string;
  readonly keep?: true;
}

/** `lake table publish TABLE BRANCH`: what was written to a branch and checked there becomes the table's own state. */
export const addTablePublish: CommandFactory = (parent, run) => {
  const command = parent
    .command('publish')
    .description('fast-forward main to a branch that is built on it, and remove the branch')
    .argument('<table>', 'NAMESPACE.TABLE')
    .argument('<branch>', 'the branch that was written to and checked')
    .option('--onto <branch>', 'the branch that moves forward', 'main')
    .option('--keep', 'keep the published branch')
    .action((table: string, branch: string, options: Options) =>
      run((session) => publish(session, table, branch, options)),
    );
  withExamples(command, [
    ['lake table publish gold.fct_flight audit', 'after writes with --branch audit and a look at them'],
  ]);
};

async function publish(session: Session, name: string, branch: string, options: Options): Promise<void> {
  const lake = await session.lake();
  const { identifier } = await findTable(lake, name);
  const done = await fastForward(lake, identifier, {
    branch: options.onto,
    to: branch,
    dropSource: options.keep !== true,
  });
  const result = {
    table: name,
    branch: options.onto,
    published: branch,
    snapshot: done.table.metadata.refs[options.onto]?.['snapshot-id'].toString() ?? null,
    changed: done.staged !== null,
  };
  const kept = options.keep === true ? '' : ` The branch "${branch}" was removed.`;
  session.output.result(
    result,
    result.changed
      ? `Published "${branch}": ${options.onto} of ${name} is at snapshot ${result.snapshot}.${kept}`
      : `${options.onto} of ${name} is at snapshot ${result.snapshot} already: nothing was changed.`,
  );
}
