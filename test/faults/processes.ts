import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Job } from './tiny-lake.ts';

const PROGRAM = join(import.meta.dirname, 'killed-process.ts');

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Asked for at the start: a process that cannot even start has ended before it gets its job. */
  readonly ended: Promise<Ended>;
}

let next: Started | undefined;

/** A process that has been started ahead of its job: its start takes longer than the job. */
function start(): Started {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'lake-test-compile-cache') },
  });
  // Its exit code and its errors tell what became of a process that does not take its job.
  child.stdin.on('error', () => {});
  return { child, ended: endOf(child) };
}

async function endOf(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<Ended> {
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, signal, stdout, stderr };
}

/** Does a job in a process of its own; the process for the next job starts meanwhile. */
async function inProcess(job: Job): Promise<Ended> {
  const { child, ended } = next ?? start();
  next = start();
  child.stdin.end(JSON.stringify(job));
  return ended;
}

/** Does a job to its end, in a process of its own. Returns the points that it passed, in order. */
export async function pointsOf(job: Job): Promise<string[]> {
  const { code, stdout, stderr } = await inProcess(job);
  if (code !== 0) throw new Error(`the process ended with ${code}:\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Points without those that find the same on disk as the point before them: nothing is made between an `after` and the `before` that follows. */
export function distinctPoints(points: readonly string[]): string[] {
  return points.filter((point, at) => {
    const previous = points[at - 1] ?? '';
    if (point.startsWith('before '))
      return !previous.startsWith('after ') && !previous.startsWith('before commit request');
    return !point.startsWith('after commit request');
  });
}

/** Of each kind of point one: the first that something is under way at, the last that it has been made at. */
export function sampledPoints(points: readonly string[]): string[] {
  const kinds = Object.values(Object.groupBy(points, (point) => point.replace(/ #\d+$/, '')));
  const chosen = kinds.map((all = []) => (all[0]?.startsWith('after ') ? all.at(-1) : all[0]));
  return points.filter((point) => chosen.includes(point));
}

/** Does a job in a process that is killed by SIGKILL at a point; fails if it was not. */
export async function killedAt(job: Job, killAt: string): Promise<void> {
  const { code, signal, stdout, stderr } = await inProcess({ ...job, killAt });
  if (signal === 'SIGKILL') return;
  throw new Error(`not killed at "${killAt}": ended with ${code}\n${stdout}${stderr}`);
}

/** Ends the process that waits for a job. */
export async function endProcesses(): Promise<void> {
  if (next === undefined) return;
  next.child.kill('SIGKILL');
  await next.ended;
  next = undefined;
}
