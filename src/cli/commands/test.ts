import { runChecks } from '../../pipeline/run.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { countText } from '../units.ts';

/** `lake test`: the quality checks on what is published. */
export const addTest: CommandFactory = (parent, run) => {
  const command = parent
    .command('test')
    .description('run the quality checks on what is published; exit code 4 if one fails')
    .option('-s, --select <model...>', 'only the checks of these models')
    .action((options: { select?: string[] }) => run((session) => testModels(session, options.select)));
  withExamples(command, [
    ['lake test --select gold.fct_flight', 'not null, unique, accepted range and values'],
  ]);
};

async function testModels(session: Session, select: string[] | undefined): Promise<number> {
  const results = await runChecks(await session.lake(), {
    ...(select === undefined ? {} : { select }),
    progress: (stage, done, total) => session.progress.update(stage, done, total),
  });
  session.progress.stop();
  await session.output.rows(results, {
    empty: 'There is nothing to check: no selected model has checks and a table.',
    columns: [
      { key: 'passed', heading: 'result', format: (passed) => (passed === true ? 'ok' : 'FAILED') },
      { key: 'model' },
      { key: 'kind', heading: 'check' },
      { key: 'rule' },
      { key: 'failures', heading: 'offending rows', align: 'right', format: countText },
    ],
  });
  const failed = results.filter((result) => !result.passed);
  for (const { model, rule, samples } of failed) {
    session.output.note(`${model}: ${rule}; for instance ${JSON.stringify(samples[0])}`);
  }
  return failed.length > 0 ? EXIT.checkFailed : EXIT.done;
}
