import { stat } from 'node:fs/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LakeError } from '../errors.ts';
import type { CommandResult, Runner } from './command.ts';
import { withExamples } from './command.ts';
import { addCatalog } from './commands/catalog.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExpire } from './commands/expire.ts';
import { addIngest } from './commands/ingest.ts';
import { addInit } from './commands/init.ts';
import { addMetrics } from './commands/metrics.ts';
import { addOrphans } from './commands/orphans.ts';
import { addPolicy } from './commands/policy.ts';
import { addRun } from './commands/run.ts';
import { addSchema } from './commands/schema.ts';
import { addSql } from './commands/sql.ts';
import { addTable } from './commands/table.ts';
import { addTest } from './commands/test.ts';
import { addTier } from './commands/tier.ts';
import { EXIT } from './exit-codes.ts';
import type { LogLevel, OutputFormat } from './output.ts';
import { createOutput, LOG_LEVELS, OUTPUT_FORMATS } from './output.ts';
import { packageVersion } from './package-files.ts';
import { createProgress } from './progress.ts';
import { reportError } from './report-error.ts';
import { Session } from './session.ts';
import type { Terminal } from './terminal.ts';
import { parseTime } from './time-argument.ts';

interface GlobalOptions {
  readonly directory: string;
  readonly output: OutputFormat;
  readonly logLevel: LogLevel;
  readonly yes?: boolean;
  readonly now?: number;
}

const EXIT_CODES = `
Exit codes:
  0 done   1 failed   2 wrong usage or invalid file   3 changes are pending (with --exit-code)
  4 a quality check stopped the run   5 outcome unknown   6 conflict or stale plan`;

function globalOptions(program: Command): Command {
  return program
    .option('-C, --directory <dir>', 'work as if started in this folder', '.')
    .addOption(
      new Option('-o, --output <format>', 'form of the result').choices(OUTPUT_FORMATS).default('text'),
    )
    .addOption(new Option('--log-level <level>', 'what to say on stderr').choices(LOG_LEVELS).default('info'))
    .option('-y, --yes', 'do not ask before destructive work')
    .option('--now <time>', "the policy's clock, e.g. 2001-07-01 (default: the wall clock)", parseTime);
}

function buildProgram(run: Runner): Command {
  const program = globalOptions(new Command('lake'))
    .description('Iceberg tables that move between hot, warm and cold storage by policy, and stay one table.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help; `lake COMMAND --help` has examples')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false });
  for (const add of [
    addInit,
    addRun,
    addTest,
    addIngest,
    addSql,
    addTable,
    addTier,
    addExpire,
    addOrphans,
    addPolicy,
    addCatalog,
    addMetrics,
    addDoctor,
    addSchema,
  ]) {
    add(program, run);
  }
  program.addHelpText('after', EXIT_CODES);
  return withExamples(program, [
    [
      'lake init flights && cd flights && lake run',
      'a project with 3,000,000 real flights, from landing to gold',
    ],
    ['lake tier plan --now 2001-07-01', 'what the policies would move, and why'],
  ]);
}

/** Commander's own complaints in the project's shape; help and version are no errors. */
function usageError(error: CommanderError): LakeError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1');
  const hint = [suggestion, '`lake --help` lists the commands, `lake COMMAND --help` shows examples.'];
  return new LakeError('usage', first, { hint: hint.filter((line) => line !== '').join('\n') });
}

function isHelp(error: CommanderError): boolean {
  return ['commander.helpDisplayed', 'commander.version', 'commander.help'].includes(error.code);
}

/** `--output json` must hold for errors of usage too, which come before the options are parsed. */
function formatIn(argv: readonly string[]): OutputFormat {
  const at = argv.findIndex((word) => word === '-o' || word === '--output');
  const named = argv.find((word) => word.startsWith('--output='))?.slice('--output='.length) ?? argv[at + 1];
  return OUTPUT_FORMATS.find((format) => (at >= 0 || named !== argv[0]) && format === named) ?? 'text';
}

/**
 * Runs one command line (without `node` and the script) and returns its exit code. Never throws: what goes wrong
 * is reported on the terminal.
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.done;
  const runBody = async (body: (session: Session) => CommandResult) => {
    const options = program.opts<GlobalOptions>();
    const output = createOutput(terminal, options.output, options.logLevel);
    const progress = createProgress(terminal, options.logLevel === 'silent');
    const session = new Session(terminal, output, progress, {
      directory: options.directory,
      now: options.now,
      yes: options.yes === true,
    });
    try {
      await refuseMissingFolder(session.directory);
      exitCode = (await body(session)) ?? EXIT.done;
    } finally {
      await session.close();
    }
  };
  const program = buildProgram(runBody);
  muteCommander(program, terminal);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && isHelp(thrown))
      return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    const usage = thrown instanceof CommanderError || thrown instanceof InvalidArgumentError;
    return reportError(terminal, usage ? usageError(thrown) : thrown, {
      format: formatIn(argv),
      debug: program.opts<Partial<GlobalOptions>>().logLevel === 'debug',
    });
  }
}

/** A project above would be taken instead, and something done to another lake than was meant. */
async function refuseMissingFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return;
  const what = found === null ? 'does not exist' : 'is no folder';
  throw new LakeError('usage', `-C: ${folder} ${what}`, {
    hint: 'Nothing was done. Name the folder of a project.',
  });
}

function muteCommander(command: Command, terminal: Terminal): void {
  command.exitOverride();
  if (command.parent !== null) command.helpCommand(false);
  command.configureOutput({
    writeOut: (text) => terminal.stdout.write(text),
    writeErr: (text) => terminal.stderr.write(text),
    outputError: () => {},
    getOutHelpWidth: () => Math.min(terminal.stdout.columns ?? 100, 110),
    getErrHelpWidth: () => Math.min(terminal.stderr.columns ?? 100, 110),
  });
  for (const child of command.commands) muteCommander(child, terminal);
}
