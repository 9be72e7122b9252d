import { LakeError } from '../errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { OutputFormat } from './output.ts';
import { toJson } from './output.ts';
import { isSystemError } from './system-error.ts';
import type { Terminal } from './terminal.ts';

/** Any thrown thing as the project's error: system errors get a kind, anything else is a defect of ours. */
export function asLakeError(thrown: unknown): LakeError {
  if (thrown instanceof LakeError) return thrown;
  if (isSystemError(thrown)) {
    const hint = SYSTEM_HINTS[thrown.code ?? ''];
    return new LakeError('unavailable', thrown.message, {
      cause: thrown,
      ...(thrown.path === undefined ? {} : { where: thrown.path }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new LakeError('internal', message, {
    cause: thrown,
    hint: 'This is a defect of Lakewarden. Run it again with --log-level debug and report what it prints.',
  });
}

const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: make room and run the same command again. Nothing unfinished was published.',
  EACCES: 'You may not read or write there: check the owner and the permissions.',
  EADDRINUSE: 'Another program listens on that port: choose another one with --port (0 takes any free one).',
  ENOENT: 'Check the spelling of the path.',
};

function indent(text: string): string {
  return text.split('\n').join('\n  ');
}

/** An error for people: what happened, where, and what to do next. */
export function errorText(error: LakeError, withStack: boolean): string {
  const lines = [`error: ${indent(error.message)}`];
  if (error.where !== undefined && !error.message.includes(error.where)) lines.push(`  at ${error.where}`);
  if (error.hint !== undefined) lines.push(`  ${indent(error.hint)}`);
  if (withStack && error.stack !== undefined) {
    lines.push('', error.stack);
    if (error.cause instanceof Error) lines.push(`caused by ${error.cause.stack ?? error.cause.message}`);
  }
  return lines.join('\n');
}

/** Tells the user of an error (JSON on stdout with `--output json`, else text on stderr). Returns the exit code. */
export function reportError(
  terminal: Terminal,
  thrown: unknown,
  options: { readonly format: OutputFormat; readonly debug: boolean },
): number {
  const error = asLakeError(thrown);
  if (options.format === 'text') {
    terminal.stderr.write(`${errorText(error, options.debug)}\n`);
  } else {
    const body = {
      kind: error.kind,
      message: error.message,
      where: error.where ?? null,
      hint: error.hint ?? null,
    };
    terminal.stdout.write(`${toJson({ error: body }, options.format === 'json' ? 2 : undefined)}\n`);
    if (options.debug && error.stack !== undefined) terminal.stderr.write(`${error.stack}\n`);
  }
  return exitCodeOf(error.kind) ?? EXIT.failed;
}
