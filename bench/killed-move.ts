/**
 * A move of the full-size example that is killed midway by SIGKILL and gone on with by the next `lake tier apply`. Prints figures as a JSON line.
 *
 *     node bench/killed-move.ts [PROJECT]
 *
 * PROJECT is a folder in which `lake init --example flights` and `lake run` have been done; without it, one is made in a temporary folder.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../src/clock.ts';

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts');
const NODE = ['--disable-warning=ExperimentalWarning', MAIN];
const MOVE = ['tier', 'apply', '--yes', '--now', '2001-07-01'];
const TABLES = ['bronze.flights', 'silver.flights', 'gold.fct_flight', 'gold.mart_daily_delay'];

async function lake(folder: string, ...argv: string[]): Promise<string> {
  const args = [...NODE, '-C', folder, ...argv];
  return (await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 28 })).stdout;
}

/** Rows and digest of each table. */
async function answers(folder: string): Promise<string[]> {
  const all: string[] = [];
  for (const table of TABLES) {
    const query = `SELECT '${table}' AS t, count(*) AS n, CAST(sum(CAST(hash(r) AS HUGEINT)) AS VARCHAR) AS d FROM ${table} AS r`;
    all.push(await lake(folder, '--output', 'json', 'sql', query));
  }
  return all;
}

async function coldFiles(folder: string): Promise<number> {
  const names = await readdir(join(folder, '.lake/warehouse/cold'), { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith('.parquet')).length;
}

/** Starts the move and kills it as soon as so many copies are there. Returns ms until the kill. */
async function killMidway(folder: string, copies: number): Promise<number> {
  const started = systemClock.now();
  const child = spawn(process.execPath, [...NODE, '-C', folder, ...MOVE], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (child.exitCode === null && (await coldFiles(folder)) < copies) await systemClock.sleep(5);
  child.kill('SIGKILL');
  await ended;
  if (child.signalCode !== 'SIGKILL') throw new Error('the move ended before it could be killed');
  return systemClock.now() - started;
}

async function prepared(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const parent = await mkdtemp(join(tmpdir(), 'lake-killed-move-'));
  const folder = join(parent, 'lake');
  await lake(parent, 'init', folder, '--example', 'flights');
  await lake(folder, 'run');
  return { folder, remove: () => rm(parent, { recursive: true, force: true }) };
}

const given = process.argv[2];
const { folder, remove } =
  given === undefined ? await prepared() : { folder: resolve(given), remove: async () => {} };
try {
  const before = await answers(folder);
  const killedAfterMs = await killMidway(folder, 40);
  const copiedAtKill = await coldFiles(folder);
  const whileKilled = await answers(folder);
  const started = systemClock.now();
  const report = JSON.parse(await lake(folder, '--output', 'json', ...MOVE));
  const resumedMs = systemClock.now() - started;
  const after = await answers(folder);
  const figures = {
    bench: 'killed-move',
    rows: before.map((text) => JSON.parse(text)[0].n),
    killed_after_ms: killedAfterMs,
    copies_at_kill: copiedAtKill,
    resumed_ms: resumedMs,
    resumed: report.resumed,
    relocations: report.relocations,
    waiting_for_grace: report.ledger.waiting,
    same_answers_while_killed: String(whileKilled) === String(before),
    same_answers_after: String(after) === String(before),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await remove();
}
