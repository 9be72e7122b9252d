import { existsSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import type { Terminal } from './terminal.ts';

type Surroundings = Pick<Terminal, 'cwd' | 'env'>;

/**
 * How the user calls `lake` on another project folder from where they are: the way that they called it now. Only a `lake` that is
 * on the PATH by itself works after a `cd`; npm's ways are bound to the folder they were called in.
 *
 * @returns lines to be typed one after another
 */
export function commandsIn({ cwd, env }: Surroundings, folder: string, args: string): readonly string[] {
  const below = relative(cwd, folder);
  const shown = quoted(below.startsWith('..') ? folder : below || '.');
  const npm = env['npm_command'];
  if (npm === 'run' || npm === 'run-script') return [`npm run lake -- -C ${shown} ${args}`];
  if (npm === 'exec') return [`npx lake -C ${shown} ${args}`];
  if (isOnPath(env)) return [`cd ${shown}`, `lake ${args}`];
  return [`${callOfThis()} -C ${shown} ${args}`];
}

function isOnPath(env: Surroundings['env']): boolean {
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter);
  const names = process.platform === 'win32' ? ['lake.cmd', 'lake.exe'] : ['lake'];
  return folders.some((folder) => folder !== '' && names.some((name) => existsSync(join(folder, name))));
}

/** Node's own options matter: from source the warning about type stripping is switched off by one. */
function callOfThis(): string {
  const [node = 'node', script = 'lake'] = process.argv;
  return [node, ...process.execArgv, script].map(quoted).join(' ');
}

function quoted(text: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
