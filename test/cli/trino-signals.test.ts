import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeTrino, startFakeTrino } from '../engine/fake-trino.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const columns = [{ name: 'a', type: 'bigint', typeSignature: { rawType: 'bigint', arguments: [] } }];
/** More than a pipe holds. */
const endless = {
  columns,
  data: Array.from({ length: 5000 }, (_, i) => [i]),
  nextUri: 'HERE/v1/next',
};

let root: string;
let trino: FakeTrino | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lake-trino-signals-'));
});
afterEach(async () => {
  trino?.close();
  await rm(root, { recursive: true, force: true });
});

/** `lake` as a process in a project whose Trino is the fake one. */
async function started(fake: FakeTrino, words: readonly string[]) {
  trino = fake;
  const files = {
    'lake.yaml': `version: 1\nname: t\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\ntrino: { server: "${fake.address}", catalog: lake }\n`,
    'models/bronze/e.sql': 'SELECT * FROM source',
    'models/bronze/e.yml':
      'version: 1\nmaterialisation: append\nsource: { path: data/*.csv, format: csv, options: { header: true } }\n',
    'models/silver/e.sql': 'SELECT v FROM bronze.e',
    'models/silver/e.yml': 'version: 1\nengine: trino\nmaterialisation: full\n',
    'data/1.csv': 'v\n1\n',
  };
  for (const [path, body] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), body);
  }
  const args = ['--disable-warning=ExperimentalWarning', MAIN, '-C', root, ...words];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  return { child, ended, said: text(child.stderr) };
}

/** The reader takes a little and goes, as `| head` does. */
async function headOf(fake: FakeTrino, words: readonly string[] = []) {
  const { child, ended, said } = await started(fake, [...words, 'sql', '--engine', 'trino', 'SELECT a']);
  child.stdout.once('data', () => child.stdout.destroy());
  return { code: await ended, said: await said };
}

it.each([[[]], [['--output', 'ndjson']]])(
  'a reader that has seen enough ends `lake sql --engine trino` quietly, and the query at the server: %s',
  async (words) => {
    const fake = await startFakeTrino([endless]);
    expect(await headOf(fake, words)).toEqual({ code: 0, said: '' });
    expect(fake.cancelled()).toBe(1);
  },
);

it('a query that fails by itself is told all the same', async () => {
  const error = { errorName: 'DIVISION_BY_ZERO', errorType: 'USER_ERROR', message: 'Division by zero' };
  const { code, said } = await headOf(await startFakeTrino([endless], { after: { error } }));
  expect(code).toBe(2);
  expect(said).toContain('Division by zero');
});

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends `lake run`, and what it has run at Trino',
  async (signal) => {
    const fake = await startFakeTrino([{ nextUri: 'HERE/v1/next' }]);
    const { child, ended } = await started(fake, ['run']);
    child.stdout.resume();
    await expect.poll(() => fake.seen.length).toBeGreaterThan(2);
    child.kill(signal);
    expect(await ended).toBe(signal);
    expect(fake.cancelled()).toBe(1);
  },
);
