import { rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LakeError } from '../../../errors.ts';
import { toPlanFile } from '../../../tiering/move-plan.ts';
import { planMoves } from '../../../tiering/plan-moves.ts';
import { readPolicies } from '../../../tiering/policy-files.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { toJson } from '../../output.ts';
import { planText } from '../../plan-text.ts';
import type { Session } from '../../session.ts';

interface PlanOptions {
  readonly out?: string;
  readonly exitCode?: boolean;
}

/** `lake tier plan`: what the policies would move now, and why the rest stays. Changes nothing. */
export const addTierPlan: CommandFactory = (parent, run) => {
  const command = parent
    .command('plan')
    .description('what the policies would move now, and why the rest stays; changes nothing')
    .argument('[table...]', 'only these tables')
    .option('--out <file>', 'write the plan to a file for `lake tier apply FILE`')
    .option('--exit-code', 'exit with 3 if something is to be moved')
    .action((tables: string[], options: PlanOptions) => run((session) => plan(session, tables, options)));
  withExamples(command, [
    ['lake tier plan --now 2001-07-01', 'as if it were that day'],
    ['lake tier plan gold.fct_flight --out moves.json', 'one table, kept for `lake tier apply moves.json`'],
  ]);
};

async function plan(session: Session, tables: readonly string[], options: PlanOptions): Promise<number> {
  const lake = await session.lake();
  const policies = await readPolicies(lake.config);
  const planned = await planMoves(
    lake,
    policies,
    session.policyNow,
    tables.length === 0 ? undefined : tables,
  );
  if (options.out !== undefined) {
    const times = { createdMs: session.clock.now(), nowMs: session.policyNow };
    const file = resolve(session.directory, options.out);
    await writePlan(file, `${toJson(toPlanFile(planned, policies, times), 2)}\n`);
  }
  // The files of each move stand in the plan file alone.
  const moves = planned.moves.map(({ paths: _paths, ...move }) => move);
  if (session.output.format === 'ndjson') await session.output.rows(moves);
  else session.output.result({ ...planned, moves }, planText(planned));
  if (options.out !== undefined)
    session.output.note(`Plan written. To make these moves and no others: lake tier apply ${options.out}`);
  return options.exitCode === true && planned.moves.length > 0 ? EXIT.changesPending : EXIT.done;
}

/** A plan that was cut off must not look like one: it comes under its name when it is whole. */
async function writePlan(file: string, text: string): Promise<void> {
  try {
    await writeFile(`${file}.part`, text);
    await rename(`${file}.part`, file);
  } catch (cause) {
    throw new LakeError('unavailable', `The plan cannot be written to ${file}.`, {
      where: file,
      hint: 'Nothing was moved. Choose a folder that is there and that you may write to.',
      cause,
    });
  }
}
