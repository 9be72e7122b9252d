/**
 * `node docker/job.ts prepare|account|reports`: what docker-compose.yml needs done before its services can start, and what `npm run stack` does itself.
 * Each may be done again: it finds that it is done.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CLIENT, credentialOf } from '../stack/catalog.ts';
import { publishGold } from '../stack/publish-gold.ts';
import { makeBuckets } from '../stack/s3-server.ts';

const run = promisify(execFile);
const say = (text: string) => process.stdout.write(`${text}\n`);

/** What a job takes from its environment. @throws Error for a variable that is not set */
function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

/** Runs `lake` in the project; what it printed to stdout. @throws Error with what it said */
async function lake(...words: string[]): Promise<string> {
  const [command = 'lake', ...first] = (process.env['LAKE_COMMAND'] ?? 'lake').split(' ');
  return (await run(command, [...first, ...words], { cwd: variable('LAKE_PROJECT') })).stdout;
}

/** A bucket for each tier, and the flights project. */
async function prepare(): Promise<void> {
  await makeBuckets(variable('LAKE_STORAGE__ENDPOINT'), {
    accessKeyId: variable('LAKE_STORAGE__ACCESS_KEY_ID'),
    secretAccessKey: variable('LAKE_STORAGE__SECRET_ACCESS_KEY'),
  });
  const project = variable('LAKE_PROJECT');
  await mkdir(project, { recursive: true });
  if (existsSync(join(project, 'lake.yaml'))) return;
  await lake('init', project, '--example', 'flights');
  say(`made the project in ${project}`);
}

/** The account that Trino signs in with, and its credential in a file for it. */
async function account(): Promise<void> {
  const file = join(variable('LAKE_CREDENTIALS'), CLIENT);
  if (existsSync(file) && (await readFile(file, 'utf8')) !== '') return;
  const known: unknown = JSON.parse(await lake('catalog', 'principal', 'list', '-o', 'json'));
  const isKnown = Array.isArray(known) && known.some((one) => one?.name === CLIENT);
  // Its secret was shown once and is lost with the volume: it gets a new one.
  const words = isKnown ? ['rotate', CLIENT, '--overlap', '0'] : ['create', CLIENT];
  const made: unknown = JSON.parse(await lake('catalog', 'principal', ...words, '-o', 'json'));
  await lake('catalog', 'grant', 'add', 'manage', '--principal', CLIENT, '--catalog');
  // Last and in one step: where the file is, the account can do what it is for.
  await writeFile(`${file}.fresh`, credentialOf(made), { mode: 0o600 });
  await rename(`${file}.fresh`, file);
  say(`made the account "${CLIENT}", which may do everything in the catalog`);
}

/** The views that reports read. */
async function reports(): Promise<void> {
  say(`published ${(await publishGold(process.env)).join(', ')}`);
}

const JOBS: Readonly<Record<string, () => Promise<void>>> = { prepare, account, reports };
const job = JOBS[process.argv[2] ?? ''];
if (job === undefined) {
  process.stderr.write(`which job? There are ${Object.keys(JOBS).join(', ')}\n`);
  process.exitCode = 2;
} else {
  await job();
}
