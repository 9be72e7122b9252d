import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { LakeConfig } from '../config.ts';
import { LakeError } from '../errors.ts';
import type { Lake } from '../project/open-lake.ts';
import type { Output } from './output.ts';
import type { Progress } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface SessionOptions {
  /** Folder that stands for the working directory: `-C DIR`, else where the user is. */
  readonly directory: string;
  /** Time of the policy's clock in ms, if `--now` was given. */
  readonly now: number | undefined;
  readonly yes: boolean;
}

/** What one command has at hand. The project is opened when first asked for and closed when the command ends. */
export class Session {
  readonly terminal: Terminal;
  readonly output: Output;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly directory: string;
  /** What the policy takes for now, in ms; commits, leases and grace never use it. */
  readonly policyNow: number;
  readonly #yes: boolean;
  #config: Promise<LakeConfig> | undefined;
  #lake: Promise<Lake> | undefined;

  constructor(terminal: Terminal, output: Output, progress: Progress, options: SessionOptions) {
    this.terminal = terminal;
    this.output = output;
    this.progress = progress;
    this.clock = terminal.clock;
    this.directory = resolve(terminal.cwd, options.directory);
    this.policyNow = options.now ?? terminal.clock.now();
    this.#yes = options.yes;
  }

  /** The project's checked lake.yaml. Fails with `usage` outside a project, `invalid-file` if it is off. */
  config(): Promise<LakeConfig> {
    this.#config ??= import('../config.ts').then(({ loadLake }) =>
      loadLake(this.directory, this.terminal.env),
    );
    return this.#config;
  }

  /** The open project. */
  lake(): Promise<Lake> {
    this.#lake ??= this.config().then(async (config) => {
      const { openLake } = await import('../project/open-lake.ts');
      return openLake(config, this.clock);
    });
    return this.#lake;
  }

  /**
   * Asks before something that is hard to take back. Returns if the answer is yes.
   *
   * @throws LakeError `usage` if the user says no, or if nobody can be asked and `--yes` was not given
   */
  async confirm(question: string): Promise<void> {
    if (this.#yes) return;
    if (!this.terminal.stdinIsTTY) {
      throw new LakeError('usage', `${question} Nobody is there to ask: this is no terminal.`, {
        hint: 'Nothing was done. Add --yes to go ahead without being asked.',
      });
    }
    const answer = await this.terminal.ask(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new LakeError('usage', 'Not confirmed: nothing was done.');
  }

  /** Closes what was opened. */
  async close(): Promise<void> {
    this.progress.stop();
    const lake = await this.#lake?.catch(() => undefined);
    await lake?.close();
  }
}
