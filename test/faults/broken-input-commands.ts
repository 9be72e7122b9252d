import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { lake, type Recorded } from '../cli/recorded-terminal.ts';
import { messageComplaint } from './broken-input.ts';
import { writeProject, writeSource } from './tiny-project.ts';

const HUGE = '9'.repeat(400);

/** Words of commands that are wrong by themselves. `silver.e` is a table. */
const WORDS: readonly (readonly string[])[] = [
  ['--now', 'yesterday', 'tier', 'plan'],
  ['--now', '2001-13-01', 'tier', 'plan'],
  ['--now', HUGE, 'tier', 'plan'],
  ['--now', '', 'tier', 'plan'],
  ['--now', '2001-07-01T99:00:00Z', 'tier', 'status'],
  ['--output', 'xml', 'table', 'list'],
  ['--log-level', 'loud', 'table', 'list'],
  ['--nothing', 'table', 'list'],
  ['table', 'show'],
  ['table', 'show', 'silver.nothing'],
  ['table', 'show', 'e'],
  ['table', 'show', ''],
  ['table', 'show', '.'],
  ['table', 'show', '..'],
  ['table', 'show', 'silver.e\u0000'],
  ['table', 'show', `silver.${'x'.repeat(9000)}`],
  ['table', 'files', 'silver.e', '--as-of', HUGE],
  ['table', 'files', 'silver.e', '--as-of', '-1'],
  ['table', 'files', 'silver.e', '--as-of', '1970-01-01'],
  ['table', 'files', 'silver.e', '--as-of', '2001-02-30T25:61:00Z'],
  ['table', 'files', 'silver.e', '--as-of', '__proto__'],
  ['table', 'partitions', 'silver.e', '--as-of', 'constructor'],
  ['table', 'tag', 'silver.e', 'x', '--snapshot', HUGE],
  ['table', 'tag', 'silver.e', 'x', '--snapshot', '0x10'],
  ['table', 'branch', 'silver.e', 'x', '--snapshot', '1.5'],
  ['table', 'branch', 'silver.e', 'main', '--drop'],
  ['table', 'tag', 'silver.e', 'nothing', '--drop'],
  ['table', 'cherry-pick', 'silver.e', HUGE],
  ['table', 'cherry-pick', 'silver.e', 'x'],
  ['table', 'publish', 'silver.e', 'nothing'],
  ['--yes', 'table', 'rollback', 'silver.e', '--to', HUGE],
  ['--yes', 'table', 'delete', 'silver.e', '--where', 'v ='],
  ['--yes', 'table', 'delete', 'silver.e', '--where', 'nothing = 1'],
  ['--yes', 'table', 'delete', 'silver.e', '--where', '('.repeat(10_000)],
  ['sql', 'SELEC 1'],
  ['sql', ''],
  ['sql', 'SELECT * FROM silver.nothing'],
  ['sql', 'SELECT nothing FROM silver.e'],
  ['sql', 'DROP TABLE x'],
  ['sql', 'SELECT 1; SELECT 2'],
  ['sql', `SELECT ${'('.repeat(5000)}1`],
  ['sql', "SELECT CAST('x' AS INTEGER)"],
  ['sql', '--as-of', HUGE, 'SELECT * FROM silver.e'],
  ['sql', '--file', 'nothing.sql'],
  ['sql', '--file', 'latin.sql'],
  ['tier', 'history', '--limit', '-1'],
  ['tier', 'history', '--limit', '1e999'],
  ['tier', 'history', '--limit', HUGE],
  ['tier', 'apply', 'nothing.json'],
  ['tier', 'apply', 'lake.yaml'],
  ['tier', 'apply', 'latin.sql'],
  ['tier', 'restore', 'silver.e', 'day=2001-01-01', '--for', '5m'],
  ['tier', 'restore', 'silver.e', 'day=2001-01-01', '--for', HUGE],
  ['tier', 'restore', 'silver.e', 'day=2001-01-01', '--to', 'lukewarm'],
  ['tier', 'undo', 'nothing'],
  ['orphans', '--older-than', '1h'],
  ['orphans', '--older-than', 'x'],
  ['orphans', '--older-than', `${HUGE}d`],
  ['catalog', 'serve', '--port', '99999'],
  ['catalog', 'serve', '--port', '-1'],
  ['catalog', 'serve', '--port', 'x'],
  ['ingest', 'silver.e', 'nothing.csv'],
  ['ingest', 'silver.e', 'lake.yaml'],
  ['ingest', 'silver.e', 'data', '--format', 'csv'],
  ['ingest', 'silver.e', '-'],
  ['ingest', 'silver.e', 'x.csv', '--delimiter', '""'],
  ['ingest', 'silver.e', 'x.csv', '--batch-id', 'a b'],
  ['ingest', 'silver.e', 'x.csv', '--batch-id', 'x'.repeat(300)],
  ['run', '--select', 'nothing'],
  ['run', '--from', 'never', '--to', '2001-01-02'],
  ['run', '--from', '2001-01-02', '--to', '2001-01-01'],
  ['init', '.'],
  ['init', 'new', '--example', '../..'],
  ['-C', '/nowhere-at-all', 'table', 'list'],
];

/** A project with tables, and files that the commands name. */
export async function commandProject(parent: string): Promise<string> {
  const root = await mkdtemp(join(parent, 'commands-'));
  await writeProject(root);
  await writeSource(root, '1.csv', { day: 1, rows: 6 });
  await writeFile(join(root, 'latin.sql'), new Uint8Array([0x53, 0x45, 0x4c, 0xe9, 0x0a]));
  const { code, stderr } = await lake(root, ['run']);
  if (code !== 0) throw new Error(stderr);
  return root;
}

export const commandLines = (): readonly (readonly string[])[] => WORDS;

/** Does a command as a shell would. */
export async function realLake(root: string, argv: readonly string[]): Promise<Recorded> {
  const main = resolve(import.meta.dirname, '../../src/cli/main.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...argv], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
  const code = await new Promise<number>((done) => child.on('close', (status) => done(status ?? -1)));
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

/** What is wrong with how a command met wrong words; null if nothing is. */
export function commandComplaint(argv: readonly string[], { code, stderr }: Recorded): string | null {
  const said = argv.map((word) => word.slice(0, 40)).join(' ');
  // 6: a conflict with what is there.
  if (![1, 2, 6].includes(code)) return `${said}: exit code ${code} ${stderr.slice(-300)}`;
  const errors = stderr.split('\n').filter((line) => line.startsWith('error: '));
  if (errors.length !== 1) return `${said}: ${errors.length} errors: ${stderr.slice(0, 300)}`;
  if (stderr.includes('a defect of Lakewarden')) return `${said}: internal: ${stderr.slice(0, 300)}`;
  const complaint = messageComplaint(
    argv.reduce((text, word) => (word.length > 100 ? text.replaceAll(word, '…') : text), stderr),
    errors[0] ?? '',
    undefined,
  );
  return complaint === null ? null : `${said}: ${complaint}`;
}
