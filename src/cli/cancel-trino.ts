import { constants } from 'node:os';
import type { Clock } from '../clock.ts';
import { cancelAll } from '../engine/trino.ts';
import { hasOpenBranches } from '../pipeline/trino-branch.ts';

/** Trino has so long to take that its statements are cancelled, and the work behind them to clear away what it has begun. */
const PATIENCE_MS = 5000;
/** The process is gone before; but as the first one of a container it is spared by its own signals. */
const SPARED_AFTER_MS = 1000;

/**
 * Does work that may have statements run at Trino. Ctrl-C or SIGTERM meanwhile ends the process as ever, but cancels them first, since they would go on for nobody;
 * a second one ends it at once.
 */
export async function cancellingTrino<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  let dying: Promise<void> | undefined;
  let running: Promise<T> | undefined;
  const ignore = () => void process.off('SIGINT', die).off('SIGTERM', die);
  function die(signal: NodeJS.Signals): void {
    ignore();
    dying = dieBy(signal, clock, running);
  }
  process.on('SIGINT', die).on('SIGTERM', die);
  try {
    running = work();
    return await running;
  } finally {
    ignore();
    // The cancelled statement fails, and nobody is to hear of that.
    await dying;
  }
}

async function dieBy(
  signal: NodeJS.Signals,
  clock: Clock,
  running: Promise<unknown> | undefined,
): Promise<void> {
  // Whether it fails or not is of no matter any more.
  const cleared = async () => {
    if ((await cancelAll()) || hasOpenBranches()) await running?.catch(() => {});
  };
  await Promise.race([cleared(), clock.sleep(PATIENCE_MS)]);
  process.kill(process.pid, signal);
  await clock.sleep(SPARED_AFTER_MS);
  process.exit(128 + constants.signals[signal]);
}
