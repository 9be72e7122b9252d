import { runCli } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { systemClock } from '../../src/clock.ts';

export interface Recorded {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in `cwd` without a terminal, as a script or a CI job does. */
export async function lake(
  cwd: string,
  argv: readonly string[],
  over: Partial<Terminal> = {},
): Promise<Recorded> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const terminal: Terminal = {
    stdout: { write: (text) => void stdout.push(text), isTTY: false },
    stderr: { write: (text) => void stderr.push(text), isTTY: false },
    stdinIsTTY: false,
    cwd,
    env: {},
    clock: systemClock,
    ask: () => Promise.reject(new Error('nobody is there to ask')),
    stopRequested: () => Promise.resolve(),
    ...over,
  };
  const code = await runCli(argv, terminal);
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}
