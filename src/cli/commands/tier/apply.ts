import { resolve } from 'node:path';
import { LakeError } from '../../../errors.ts';
import type { Lake } from '../../../project/open-lake.ts';
import { readTextFile } from '../../../project/text-file.ts';
import { type ApplyReport, applyPlan, resumeInterrupted } from '../../../tiering/apply-plan.ts';
import { type MovePlan, parsePlanFile, policyDigest } from '../../../tiering/move-plan.ts';
import { planMoves } from '../../../tiering/plan-moves.ts';
import { readPolicies } from '../../../tiering/policy-files.ts';
import { rememberCommitTimes } from '../../../tiering/remember-commit-times.ts';
import type { TierProgress } from '../../../tiering/tiering-context.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { planText } from '../../plan-text.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, timeText } from '../../units.ts';

/** `lake tier apply [FILE]`: makes the moves of a plan; finishes what an interrupted run left. */
export const addTierApply: CommandFactory = (parent, run) => {
  const command = parent
    .command('apply')
    .description(
      'make the moves of a plan (without a file: of a new one); first finishes what was interrupted',
    )
    .argument('[file]', 'a plan by `lake tier plan --out FILE`')
    .action((file: string | undefined) => run((session) => apply(session, file)));
  withExamples(command, [
    [
      'lake tier apply moves.json',
      'those moves and no others; exit code 6, and nothing moved, if a planned file is gone',
    ],
    ['lake tier apply --yes --now 2001-07-01', 'plan and move at once, without asking'],
  ]);
};

async function apply(session: Session, file: string | undefined): Promise<number> {
  const lake = await session.lake();
  const progress = ({ table, step, done, total }: TierProgress) =>
    session.progress.update(`${table}: ${step}`, done, total);
  const told = new Set<string>();
  const warn = (message: string) => {
    if (!told.has(message)) session.output.note(message);
    told.add(message);
  };
  const given = file === undefined ? null : await readPlan(session, lake, file);
  // What was interrupted is finished first: its files lie elsewhere afterwards, and a new plan must see that.
  const resumed = await resumeInterrupted(lake, { progress, warn });
  session.progress.stop();
  // Told at once: what follows may be declined, or fail.
  if (resumed.length > 0) session.output.note(`${resumedLines(resumed).join('\n')}\n`);
  const plan = given ?? (await freshPlan(session, lake));
  const applied = await applyPlan(lake, plan, { progress, warn, leaveOutGone: given === null });
  const report = { ...applied, resumed: [...resumed, ...applied.resumed] };
  session.progress.stop();
  session.output.result(report, reportText(report));
  return report.refused.length > 0 ? EXIT.conflict : EXIT.done;
}

/** A plan of this moment, shown before it is carried out. */
async function freshPlan(session: Session, lake: Lake): Promise<MovePlan> {
  const policies = await readPolicies(lake.config);
  await rememberCommitTimes(lake, policies);
  const plan = await planMoves(lake, policies, session.policyNow);
  if (plan.moves.length === 0) return plan;
  session.output.note(`${planText(plan)}\n`);
  await session.confirm('Make these moves?');
  return plan;
}

/** @throws LakeError `invalid-file` for what is no plan, `not-found` for a file that is not there */
async function readPlan(session: Session, lake: Lake, name: string): Promise<MovePlan> {
  const file = resolve(session.directory, name);
  const text = await readTextFile(file, file).catch((cause: unknown) => {
    if (cause instanceof LakeError) throw cause;
    throw new LakeError('not-found', `The plan ${file} cannot be read.`, {
      cause,
      hint: 'Make one with: lake tier plan --out FILE',
    });
  });
  const plan = parsePlanFile(text, file);
  if (plan['policy-digest'] !== policyDigest(await readPolicies(lake.config))) {
    session.output.note(
      `The policies have changed since this plan was made (${plan['created-at']}); it is applied as it stands.`,
    );
  }
  return plan;
}

const resumedLines = (resumed: ApplyReport['resumed']): string[] =>
  resumed.map(({ table, state, files, bytes }) =>
    state === 'swapped'
      ? `${table}: an interrupted move was finished: ${countText(files)} files, ${bytesText(bytes)}`
      : `${table}: an interrupted move was rolled back: its files lie where they were`,
  );

function reportText({ resumed, relocations, refused, ledger }: ApplyReport): string {
  const lines = [
    ...resumedLines(resumed),
    ...relocations.map((one) =>
      one.state === 'already-done'
        ? `${one.table}: these moves were made before`
        : `${one.table}: moved ${countText(one.files)} files, ${bytesText(one.bytes)}`,
    ),
    ...refused.map((one) => `${one.table}: not moved: ${one.reason}`),
  ];
  if (lines.length === 0) lines.push('Nothing to move.');
  if (ledger.deleted > 0)
    lines.push(`Deleted ${countText(ledger.deleted)} old objects whose grace has passed.`);
  if (ledger.waiting > 0 && ledger.nextDueMs !== null) {
    lines.push(
      `${countText(ledger.waiting)} old objects wait for their grace; \`lake tier apply\` deletes them from ${timeText(ledger.nextDueMs)}.`,
    );
  }
  if (ledger.stillNamed.length > 0) {
    lines.push(`${countText(ledger.stillNamed.length)} old objects stay: a live snapshot still names them.`);
  }
  return lines.join('\n');
}
