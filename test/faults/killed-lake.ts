import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const KILL_POINTS = pathToFileURL(join(import.meta.dirname, 'kill-points.ts')).href;
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Runs `lake` in a process of its own with the kill points loaded. */
function lakeProcess(folder: string, argv: readonly string[], env: Record<string, string>): Promise<Ended> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--import',
    KILL_POINTS,
    MAIN,
    '-C',
    folder,
    ...argv,
  ];
  return new Promise((done) => {
    const child = execFile(process.execPath, args, { env: { ...process.env, ...env } }, (_, stdout, stderr) =>
      done({ code: child.exitCode, signal: child.signalCode, output: stdout + stderr }),
    );
  });
}

/** Runs a command to its end and returns the first and the last of each kind of point that it passes. */
export async function pointsOf(folder: string, argv: readonly string[]): Promise<string[]> {
  const list = join(folder, 'fault-points.txt');
  const ended = await lakeProcess(folder, argv, { FAULT_LIST: list });
  if (ended.code !== 0) throw new Error(`lake ${argv.join(' ')} ended with ${ended.code}:\n${ended.output}`);
  const names = (await readFile(list, 'utf8')).split('\n');
  await rm(list);
  const byKind = Object.values(Object.groupBy(names, (name) => name.replace(/ #\d+$/, '')));
  return byKind.flatMap((points = []) => {
    const middle = points[Math.floor(points.length / 2)];
    return [...new Set([`before ${points[0]}`, `after ${middle}`, `after ${points.at(-1)}`])];
  });
}

/** Runs a command that is killed at a point; fails if it was not. */
export async function killedAt(folder: string, argv: readonly string[], point: string): Promise<void> {
  const ended = await lakeProcess(folder, argv, { FAULT_KILL_AT: point });
  if (ended.signal !== 'SIGKILL') throw new Error(`not killed at "${point}": ${ended.code} ${ended.output}`);
}
