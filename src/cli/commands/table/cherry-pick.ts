import { LakeError } from '../../../errors.ts';
import { cherryPick } from '../../../table/cherry-pick.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

/** `lake table cherry-pick TABLE SNAPSHOT`: one snapshot's rows onto a branch that was not built on it. */
export const addTableCherryPick: CommandFactory = (parent, run) => {
  const command = parent
    .command('cherry-pick')
    .description('bring one snapshot of another branch onto main; appends, or what was built on the head')
    .argument('<table>', 'NAMESPACE.TABLE')
    .argument('<snapshot>', 'its id, as `lake table history` shows it')
    .option('--branch <name>', 'where it goes', 'main')
    .action((table: string, snapshot: string, options: { branch: string }) =>
      run((session) => pick(session, table, snapshot, options.branch)),
    );
  withExamples(command, [
    ['lake table cherry-pick gold.fct_flight 8213390217342108811', 'its files are added in a new snapshot'],
  ]);
};

async function pick(session: Session, name: string, snapshot: string, branch: string): Promise<void> {
  if (!/^\d+$/.test(snapshot)) {
    throw new LakeError('usage', `"${snapshot}" is no snapshot id`, {
      hint: `\`lake table history ${name}\` shows the ids.`,
    });
  }
  const lake = await session.lake();
  const { identifier } = await findTable(lake, name);
  const done = await cherryPick(lake, identifier, { snapshotId: BigInt(snapshot), branch });
  const at = done.table.metadata.refs[branch]?.['snapshot-id'].toString() ?? null;
  session.output.result(
    { table: name, branch, picked: snapshot, snapshot: at },
    at === snapshot
      ? `${branch} of ${name} is at snapshot ${snapshot} now: it was built on the head.`
      : `Picked snapshot ${snapshot}: ${branch} of ${name} is at the new snapshot ${at}.`,
  );
}
