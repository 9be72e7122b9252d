import { runChecks } from '../../pipeline/run.ts';
import { isFailed } from '../../pipeline/run-checks.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { countText } from '../units.ts';
import { SELECTORS } from './run.ts';

interface TestRequest {
  readonly select?: string[];
  readonly exclude?: string[];
}

/** `lake test`: the quality checks on what is published. */
export const addTest: CommandFactory = (parent, run) => {
  const command = parent
    .command('test')
    .description('run the quality checks on what is published; exit code 4 if one fails')
    .option('-s, --select <model...>', `only the checks of these models: ${SELECTORS}`)
    .option('--exclude <model...>', 'all but these; written as for --select')
    .action((options: TestRequest) => run((session) => testModels(session, options)));
  withExamples(command, [
    ['lake test --select gold.fct_flight', 'not null, unique, ranges, relationships, row counts, freshness'],
    ['lake --now 2001-07-02 test --select silver.*', 'freshness as of that day'],
  ]);
};

async function testModels(session: Session, request: TestRequest): Promise<number> {
  const results = await runChecks(await session.lake(), {
    ...request,
    policyNow: session.policyNow,
    warn: (message) => session.terminal.stderr.write(`warning: ${message}\n`),
    progress: (stage, done, total) => session.progress.update(stage, done, total),
  });
  session.progress.stop();
  const shown = results.map((result) => ({
    ...result,
    result: result.passed ? 'ok' : result.severity === 'warn' ? 'warning' : 'FAILED',
  }));
  await session.output.rows(session.output.format === 'text' ? shown : results, {
    empty: 'There is nothing to check: no selected model has checks and a table.',
    columns: [
      { key: 'result' },
      { key: 'model' },
      { key: 'kind', heading: 'check' },
      { key: 'rule' },
      { key: 'failures', heading: 'offending rows', align: 'right', format: countText },
    ],
  });
  for (const { model, rule, samples } of results.filter((result) => !result.passed)) {
    session.output.note(`${model}: ${rule}; for instance ${JSON.stringify(samples[0])}`);
  }
  return results.some(isFailed) ? EXIT.checkFailed : EXIT.done;
}
