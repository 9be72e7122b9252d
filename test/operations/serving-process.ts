import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

export interface ServingProcess {
  readonly child: ChildProcess;
  readonly uri: string;
  /** What it wrote to stderr so far. */
  said(): string;
  /** The exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** A project at `folder` with `serve` (JSON is YAML too) under catalog.serve. */
export async function writeProject(
  folder: string,
  serve: object = {},
  database = './catalog.db',
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lake = { version: 1, name: 'ops', warehouse: './warehouse', catalog: { embedded: database, serve } };
  await writeFile(join(folder, 'lake.yaml'), JSON.stringify(lake));
}

/** `lake catalog serve` on a free port, once it answers. */
export async function startServing(folder: string, args: readonly string[] = []): Promise<ServingProcess> {
  const words = [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    '-C',
    folder,
    'catalog',
    'serve',
    '--port',
    '0',
  ];
  const child = spawn(process.execPath, [...words, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const address = /answers at (https?:\/\/[\w.:[\]]+)/.exec(text)?.[1];
    if (address !== undefined) resolve(address);
  });
  const ended = new Promise<number | string | null>((done) => {
    child.once('exit', (code, signal) => done(code ?? signal));
  });
  void ended.then((code) => reject(new Error(`the server ended with ${code}:\n${text}`)));
  return { child, uri: await promise, said: () => text, ended };
}

/** A request with a JSON body; null for one that got no answer. */
export async function sent(
  uri: string,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly body: unknown; readonly retryAfter: string | null } | null> {
  try {
    const answer = await fetch(`${uri}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      body: text === '' ? null : JSON.parse(text),
      retryAfter: answer.headers.get('retry-after'),
    };
  } catch {
    return null;
  }
}
