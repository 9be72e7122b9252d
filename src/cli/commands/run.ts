import { type ModelReport, runPipeline } from '../../pipeline/run.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import type { Session } from '../session.ts';
import { countText } from '../units.ts';

interface RunRequest {
  readonly select?: string[];
  readonly fullRefresh?: boolean;
}

/** `lake run`: from the sources to gold. */
export const addRun: CommandFactory = (parent, run) => {
  const command = parent
    .command('run')
    .description('land sources in bronze, build silver and gold, check them, publish all at once')
    .option(
      '-s, --select <model...>',
      'only these models; +NAME with all it reads, NAME+ with all that reads it',
    )
    .option('--full-refresh', 'build the selected silver and gold models anew')
    .action((options: RunRequest) => run((session) => runModels(session, options)));
  withExamples(command, [
    ['lake run', 'a second run without new input changes nothing'],
    ['lake run --select +gold.fct_flight', 'one model and everything it reads'],
  ]);
};

async function runModels(session: Session, request: RunRequest): Promise<void> {
  const report = await runPipeline(await session.lake(), {
    ...(request.select === undefined ? {} : { select: request.select }),
    ...(request.fullRefresh === undefined ? {} : { fullRefresh: request.fullRefresh }),
    progress: (stage, done, total) => session.progress.update(stage, done, total),
  });
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
  session.output.note(closing(report.models, report.checks.length, report.durationMs));
}

const secondsText = (ms: unknown): string => `${(Number(ms) / 1000).toFixed(1)} s`;

function closing(models: readonly ModelReport[], checks: number, durationMs: number): string {
  if (models.every((model) => model.status === 'unchanged')) return 'Nothing new: nothing was changed.';
  return `Published in ${secondsText(durationMs)}; ${checks} checks passed.`;
}
