import { cp, mkdir, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { LakeError } from '../../errors.ts';
import { nearestName } from '../../iceberg/nearest-name.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { commandsIn } from '../own-command.ts';
import { packageFolder } from '../package-files.ts';
import type { Session } from '../session.ts';

const DEFAULT_EXAMPLE = 'flights';

/** Files of an example that are about the example and not part of a project. */
const NOT_COPIED = new Set(['demo', 'demo.ts', 'demo-stack.ts', '.lake']);

/** The real data of an example: files of an npm package, as they are called in the project's data folder. */
const DATA: Readonly<Record<string, { readonly module: string; readonly files: readonly string[] }>> = {
  flights: { module: 'vega-datasets', files: ['flights-3m.parquet', 'airports.csv'] },
};

/** `lake init DIR [--example NAME]`: a new project that runs as it is. */
export const addInit: CommandFactory = (parent, run) => {
  const command = parent
    .command('init')
    .description('make a new project that runs as it is')
    .argument('<dir>', 'folder to make; it must be empty or not there yet')
    .option('--example <name>', 'which example to start from', DEFAULT_EXAMPLE)
    .action((dir: string, options: { example: string }) =>
      run((session) => init(session, resolve(session.directory, dir), options.example)),
    );
  withExamples(command, [
    ['lake init flights', 'a project in ./flights with models, policies and 3,000,000 flights'],
  ]);
};

async function init(session: Session, folder: string, example: string): Promise<void> {
  const source = await exampleFolder(example);
  await requireEmpty(folder);
  // Before anything is made: a project without its data would not run.
  const data = DATA[example] === undefined ? null : dataFolder(DATA[example].module);
  await mkdir(folder, { recursive: true });
  await cp(source, folder, { recursive: true, filter: (path) => !NOT_COPIED.has(basename(path)) });
  if (data !== null) await copyData(example, data, join(folder, 'data'));
  const below = relative(session.terminal.cwd, folder);
  const shown = below.startsWith('..') ? folder : below || '.';
  session.output.result(
    { project: folder, example },
    [
      `Made the project ${shown} from the example "${example}".`,
      '',
      'Next:',
      ...commandsIn(session.terminal, folder, 'run').map((line) => `  ${line}`),
    ].join('\n'),
  );
}

async function exampleFolder(name: string): Promise<string> {
  const examples = join(packageFolder(), 'examples');
  const names = (await readdir(examples, { withFileTypes: true }))
    .filter((e) => e.isDirectory())
    .map((e) => e.name);
  if (names.includes(name)) return join(examples, name);
  const nearest = nearestName(name, names);
  throw new LakeError('usage', `There is no example "${name}".`, {
    hint: `${nearest === null ? '' : `Did you mean "${nearest}"? `}There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}.`,
  });
}

async function requireEmpty(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return;
  if (found.isDirectory() && (await readdir(folder)).length === 0) return;
  throw new LakeError('already-exists', `${folder} is there already and not empty.`, {
    hint: 'Nothing was changed. Name another folder.',
  });
}

async function copyData(example: string, packaged: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  // A copy, not a link: the project is the user's own, and clean-ups of node_modules must not reach into it.
  for (const file of DATA[example]?.files ?? []) await cp(join(packaged, file), join(folder, file));
}

function dataFolder(module: string): string {
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(module))), 'data');
  } catch (cause) {
    throw new LakeError(
      'not-found',
      `The example's data is in the npm package ${module}, which is not installed.`,
      {
        hint: `Run: npm install ${module} (where lakewarden is installed). Nothing was made.`,
        cause,
      },
    );
  }
}
