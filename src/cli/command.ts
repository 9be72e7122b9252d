import type { Command } from 'commander';
import type { Session } from './session.ts';

/** What a command's body returns: an exit code, or nothing for 0. */
export type CommandResult = Promise<number | undefined> | Promise<void>;

/** Runs a command's body in a session; made by `program.ts`, which owns opening, closing and errors. */
export type Runner = (body: (session: Session) => CommandResult) => Promise<void>;

/** A command file exports one of these: it adds its command below `parent`. */
export type CommandFactory = (parent: Command, run: Runner) => void;

/** Lines below the help of a command that show it in use, each `command` with what it does. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [command: string, does: string])[],
): Command {
  const lines = examples.flatMap(([text, does]) => [`  # ${does}`, `  ${text}`]);
  const title = `Example${examples.length > 1 ? 's' : ''}:`;
  const rest =
    command.parent === null
      ? []
      : ['', 'Options that every command takes (-C, --output, --yes, --now): lake --help'];
  return command.addHelpText('after', ['', title, ...lines, ...rest].join('\n'));
}
