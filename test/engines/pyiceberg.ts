import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { describe } from 'vitest';
import { findPython } from '../interop/find-python.ts';
import { testedStack, withStack } from './stack.ts';

const python = findPython('pyiceberg, pyarrow, pyiceberg_core');
const isMissing = python === undefined && !process.env['CI'];
if (isMissing)
  console.warn(
    'left out, PyIceberg: python3 -m venv .venv && .venv/bin/pip install -r test/interop/requirements.txt',
  );

/** A `describe` that is left out where there is no stack or no PyIceberg; in CI the latter is a failure. */
export const withPyIceberg: typeof describe.skip = isMissing ? withStack.skip : withStack;

/** What PyIceberg raised. */
export class PyIcebergError extends Error {}

/** What PyIceberg itself says of what it does not do. */
export const pyIcebergRefusal = (error: unknown): string | null =>
  error instanceof PyIcebergError ? error.message : null;

/** Names and versions of what runs pyiceberg_worker.py, for the matrix. */
export const PYICEBERG = 'PyIceberg 0.12';

type Answer =
  | { readonly done: unknown }
  | { readonly failed: { readonly type: string; readonly message: string } };

/** One Python with PyIceberg that has signed in to the stack's catalog; see pyiceberg_worker.py. */
export class PyIceberg {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #said: string[] = [];

  constructor() {
    const stack = testedStack();
    const uri = `http://127.0.0.1:${stack.ports.catalog}`;
    const words = [join(import.meta.dirname, 'pyiceberg_worker.py'), uri, stack.credential('trino') ?? ''];
    // No keys of anybody: it gets along with what the catalog vends.
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' };
    this.#child = spawn(python ?? 'python3', words, { env });
    this.#child.stderr.on('data', (chunk) => this.#said.push(String(chunk)));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Calls a function of the worker. One at a time. @throws PyIcebergError with what PyIceberg raised */
  async do<T = unknown>(name: string, words: Readonly<Record<string, unknown>> = {}): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify({ do: name, ...words })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the worker ended: ${this.#said.join('')}`);
    const answer = JSON.parse(value) as Answer & { readonly done: T };
    if ('failed' in answer) {
      const { type, message } = (answer as Extract<Answer, { failed: unknown }>).failed;
      throw new PyIcebergError(`${type}: ${message}`);
    }
    return answer.done;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await ended;
  }
}
