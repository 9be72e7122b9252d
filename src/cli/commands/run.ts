import { LakeError } from '../../errors.ts';
import { type RunOptions, type RunReport, runPipeline } from '../../pipeline/run.ts';
import { offence } from '../../pipeline/run-checks.ts';
import { cancellingTrino } from '../cancel-trino.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import type { Session } from '../session.ts';
import { parseTime } from '../time-argument.ts';
import { countText } from '../units.ts';

interface RunRequest {
  readonly select?: string[];
  readonly exclude?: string[];
  readonly fullRefresh?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly assumeLanded?: string[];
  readonly landAgain?: string[];
}

/** How `--select` reads; the same for every command that has it. */
export const SELECTORS =
  'NAME, LAYER.*, tag:KEY=VALUE, path:FOLDER; +NAME with all it reads, NAME+2 with its readers two steps far, @NAME with both; a,b both, a b either';

/** `lake run`: from the sources to gold. */
export const addRun: CommandFactory = (parent, run) => {
  const command = parent
    .command('run')
    .description('land sources in bronze, build silver and gold, check them, publish all at once')
    .option('-s, --select <model...>', `only these models: ${SELECTORS}`)
    .option('--exclude <model...>', 'all but these; written as for --select')
    .option('--full-refresh', 'build the selected silver and gold models anew')
    .option(
      '--from <time>',
      'backfill: build the partitions from this time on anew, and no others',
      parseTime,
    )
    .option('--to <time>', 'backfill: … up to this time, which is not included', parseTime)
    .option(
      '--assume-landed <file...>',
      'these source files have landed, where the table cannot tell any more',
    )
    .option(
      '--land-again <file...>',
      'these have not: their landing was rolled back; or they have changed since, and their rows are to be replaced',
    )
    .action((options: RunRequest) => run((session) => runModels(session, options)));
  withExamples(command, [
    ['lake run', 'a second run without new input changes nothing'],
    ['lake run --select +gold.fct_flight', 'one model and everything it reads'],
    [
      'lake run --select silver.flights+ --from 2001-03-01 --to 2001-04-01',
      'March anew, with all that reads it',
    ],
  ]);
};

async function runModels(session: Session, request: RunRequest): Promise<void> {
  const options = runOptions(request);
  const lake = await session.lake();
  const work = () =>
    runPipeline(lake, {
      ...options,
      policyNow: session.policyNow,
      warn: (message) => session.terminal.stderr.write(`warning: ${message}\n`),
      progress: (stage, done, total) => session.progress.update(stage, done, total),
    });
  const report = await (lake.config.trino === undefined ? work() : cancellingTrino(session.clock, work));
  session.progress.stop();
  if (session.output.format !== 'text') {
    session.output.result(report, '');
    return;
  }
  await session.output.rows(report.models, {
    columns: [
      { key: 'model' },
      { key: 'status' },
      { key: 'rows', heading: 'rows written', align: 'right', format: countText },
      { key: 'files', align: 'right', format: countText },
      { key: 'partitions', align: 'right', format: countText },
      { key: 'durationMs', heading: 'time', align: 'right', format: secondsText },
    ],
  });
  for (const check of report.checks.filter(({ passed }) => !passed)) {
    session.output.note(`warning: ${offence(check)}`);
  }
  session.output.note(closing(report));
}

function runOptions(request: RunRequest): RunOptions {
  const { from, to, ...rest } = request;
  if (from === undefined && to === undefined) return rest;
  if (from !== undefined && to !== undefined && from >= to) {
    throw new LakeError('usage', '--from is not before --to', {
      hint: 'the range includes --from and not --to: --from 2001-03-01 --to 2001-04-01 is March',
    });
  }
  return { ...rest, range: { fromMs: from ?? null, toMs: to ?? null } };
}

const secondsText = (ms: unknown): string => `${(Number(ms) / 1000).toFixed(1)} s`;

function closing({ models, checks, durationMs }: RunReport): string {
  if (models.every((model) => model.status === 'unchanged')) return 'Nothing new: nothing was changed.';
  const passed = checks.filter((check) => check.passed).length;
  const warned = checks.length === passed ? '' : `, ${checks.length - passed} warned`;
  return `Published in ${secondsText(durationMs)}; ${passed} checks passed${warned}.`;
}
