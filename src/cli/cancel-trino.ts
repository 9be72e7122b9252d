import { constants } from 'node:os';
import type { Clock } from '../clock.ts';
import { cancelAll } from '../engine/trino.ts';

/** Trino has so long to take that its statements are cancelled. */
const PATIENCE_MS = 5000;
/** The process is gone before; but as the first one of a container it is spared by its own signals. */
const SPARED_AFTER_MS = 1000;

/**
 * Does work that may have statements run at Trino. Ctrl-C or SIGTERM meanwhile ends the process as ever, but cancels them first, since they would go on for nobody;
 * a second one ends it at once.
 */
export async function cancellingTrino<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  let dying: Promise<void> | undefined;
  const ignore = () => void process.off('SIGINT', die).off('SIGTERM', die);
  function die(signal: NodeJS.Signals): void {
    ignore();
    dying = dieBy(signal, clock);
  }
  process.on('SIGINT', die).on('SIGTERM', die);
  try {
    return await work();
  } finally {
    ignore();
    // The cancelled statement fails, and nobody is to hear of that.
    await dying;
  }
}

async function dieBy(signal: NodeJS.Signals, clock: Clock): Promise<void> {
  await Promise.race([cancelAll(), clock.sleep(PATIENCE_MS)]);
  process.kill(process.pid, signal);
  await clock.sleep(SPARED_AFTER_MS);
  process.exit(128 + constants.signals[signal]);
}
