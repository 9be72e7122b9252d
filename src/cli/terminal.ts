import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';

/** Where a stream's text goes, and whether a person is looking at it. */
export interface Sink {
  write(text: string): void;
  readonly isTTY: boolean;
  /** True once its reader is gone. */
  readonly isClosed?: boolean;
  /** Width of the terminal in characters, if there is one. */
  readonly columns?: number | undefined;
}

/** The surroundings of one call of `lake`, handed in so that tests and the demo decide them. */
export interface Terminal {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdinIsTTY: boolean;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Asks a question and resolves to the typed line; only called where `stdinIsTTY`. */
  ask(question: string): Promise<string>;
  /** Resolves when the user asks a running service to stop (Ctrl-C, SIGTERM). */
  stopRequested(): Promise<void>;
}

// The stream itself does not tell: after a broken pipe it still passes for one that can be written to.
let isReaderGone = false;

/** Calls `then` once the reader of standard output is gone, as in `lake sql … | head`: that is no failure of ours. Any other error of it is thrown. */
export function whenReaderGone(then: () => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (isReaderGone) return;
    isReaderGone = true;
    then();
  });
}

function sinkOf(stream: NodeJS.WriteStream): Sink {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get isClosed() {
      return stream === process.stdout && isReaderGone;
    },
    get columns() {
      return stream.columns;
    },
  };
}

async function askOnTerminal(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
  });
}

/** The process's own streams, environment and clock. */
export function processTerminal(): Terminal {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdinIsTTY: process.stdin.isTTY === true,
    cwd: process.cwd(),
    env: process.env,
    clock: systemClock,
    ask: askOnTerminal,
    stopRequested: stopSignal,
  };
}
