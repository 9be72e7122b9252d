import { SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** Says how far a long piece of work is. Draws a bar on stderr where a person looks on, else nothing. */
export interface Progress {
  /** `done` of `total` units of the named stage. */
  update(stage: string, done: number, total: number): void;
  /** Takes the bar away; to be called before anything else is written. */
  stop(): void;
}

const SILENT: Progress = { update: () => {}, stop: () => {} };

/** A bar on stderr, or silence where stderr is no terminal or `quiet`. */
export function createProgress(terminal: Terminal, quiet: boolean): Progress {
  if (!terminal.stderr.isTTY || quiet) return SILENT;
  let bar: SingleBar | undefined;
  return {
    update(stage, done, total) {
      if (!bar) {
        bar = new SingleBar({
          format: '{bar} {value}/{total}  {stage}',
          clearOnComplete: true,
          hideCursor: true,
          barsize: 24,
        });
        bar.start(total, done, { stage });
      }
      bar.setTotal(total);
      bar.update(done, { stage });
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}
