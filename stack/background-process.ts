import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is to be run, with the user to run it as where it must not be root. */
export interface Program {
  readonly command: string;
  readonly words: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** `SIGINT` for programs that end cleanly by it alone. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
}

const POLL_MS = 100;
const STOP_MS = 30_000;

/**
 * A process in the background that outlives its starter. It is known by its id and its start time, so that a stop never hits another process that
 * got the same id later; it leads a group of its own, so that a stop takes its children along.
 */
export class BackgroundProcess {
  readonly #file: string;
  /** Path of what it prints. */
  readonly log: string;

  constructor(folder: string, name: string) {
    mkdirSync(join(folder, 'run'), { recursive: true });
    mkdirSync(join(folder, 'logs'), { recursive: true });
    this.#file = join(folder, 'run', `${name}.json`);
    this.log = join(folder, 'logs', `${name}.log`);
  }

  /** The process id, or null if it does not run. */
  pid(): number | null {
    if (!existsSync(this.#file)) return null;
    const { pid, started } = JSON.parse(readFileSync(this.#file, 'utf8'));
    return typeof pid === 'number' && startOf(pid) === started ? pid : null;
  }

  start(program: Program): void {
    const output = openSync(this.log, 'a');
    const child = spawn(program.command, program.words, {
      cwd: program.cwd,
      env: program.env,
      detached: true,
      stdio: ['ignore', output, output],
      ...program.user,
    });
    child.on('error', () => undefined);
    if (child.pid === undefined) throw new Error(`${program.command} cannot be started`);
    const { stopSignal = 'SIGTERM' } = program;
    writeFileSync(this.#file, JSON.stringify({ pid: child.pid, started: startOf(child.pid), stopSignal }));
    child.unref();
  }

  /** Ends the process and its children: politely, then by force. True if it ran. */
  async stop(): Promise<boolean> {
    const pid = this.pid();
    if (pid !== null) {
      const { stopSignal } = JSON.parse(readFileSync(this.#file, 'utf8'));
      // The leader alone at first: it knows how its children end.
      process.kill(pid, stopSignal);
      for (let waited = 0; this.pid() !== null && waited < STOP_MS; waited += POLL_MS) await pause();
      killGroup(pid);
      while (this.pid() !== null) await pause();
    }
    rmSync(this.#file, { force: true });
    return pid !== null;
  }

  /** The last of what it printed. */
  tail(bytes = 2000): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').slice(-bytes) : '';
  }
}

/** Polls until `ready` says so; fails with what the process printed if it ends before. */
export async function untilReady(
  name: string,
  background: BackgroundProcess,
  ready: () => Promise<boolean>,
  limitMs: number,
): Promise<void> {
  for (let waited = 0; !(await ready()); waited += POLL_MS) {
    if (background.pid() === null) throw new Error(`${name} ended at its start:\n${background.tail()}`);
    if (waited > limitMs)
      throw new Error(`${name} does not answer after ${limitMs / 1000} s:\n${background.tail()}`);
    await pause();
  }
}

/** When the process started, in the kernel's ticks since boot; null if there is none, or only its remains. Elsewhere than on Linux: that there is one. */
function startOf(pid: number): string | null {
  if (process.platform !== 'linux') return isAlive(pid) ? 'alive' : null;
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The whole group has ended.
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
