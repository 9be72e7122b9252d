import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCli } from '../../../src/cli/program.ts';
import { processTerminal, type Terminal } from '../../../src/cli/terminal.ts';
import { bytesText, countText } from '../../../src/cli/units.ts';
import { systemClock } from '../../../src/clock.ts';
import type { ApplyReport } from '../../../src/tiering/apply-plan.ts';

export type Row = Readonly<Record<string, unknown>>;

/** The day that the policies take for today: the flights are of January to June 2001. */
export const TODAY = '2001-07-01';
export const TAG = 'reported';
const GRACE = '2s';
const GRACE_MS = 2000;
const USUAL_GRACE = '24h';
const TIERS = ['hot', 'warm', 'cold'];
/** Longest bar, characters. */
const BAR = 14;
const own = processTerminal();

export const say = (text = '') => own.stdout.write(`${text}\n`);
export const seconds = (since: number) => `${((systemClock.now() - since) / 1000).toFixed(1)} s`;

/** A step of the story: the command as the user would type it, and how long it took. */
export async function step<T>(command: string, body: () => Promise<T>): Promise<T> {
  const since = systemClock.now();
  const result = await body();
  say(`$ ${command.padEnd(78)} ${seconds(since).padStart(7)}`);
  return result;
}

/** Ends the demo: what went wrong has been said, or is the message. */
export class DemoFailure extends Error {
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}

/** Tells a demo's story; a failure of it becomes the process's exit code. */
export async function tell(story: () => Promise<void>): Promise<void> {
  try {
    await story();
  } catch (error) {
    own.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof DemoFailure ? error.code : 1;
  }
}

/** A project with the flights, and `lake` in it, called as a user types it. */
export class DemoProject {
  readonly folder: string;
  readonly #env: Terminal['env'];

  /** `env`: further variables for `lake`, such as those of a stack. */
  constructor(folder: string, env: Terminal['env'] = {}) {
    this.folder = folder;
    this.#env = { ...own.env, ...env };
  }

  /** Runs one command in the project and returns what it wrote to stdout. @throws DemoFailure where it fails */
  async lake(argv: readonly string[], cwd = this.folder): Promise<string> {
    const written: string[] = [];
    const terminal: Terminal = {
      ...own,
      cwd,
      env: this.#env,
      stdinIsTTY: false,
      stdout: { write: (text) => void written.push(text), isTTY: false },
      stderr: { ...own.stderr, write: (text) => own.stderr.write(text) },
    };
    const code = await runCli(['--log-level', 'warn', ...argv], terminal);
    if (code === 0) return written.join('');
    say(written.join(''));
    throw new DemoFailure(`lake ${argv.join(' ')}: ended with ${code}`, code);
  }

  async rows(argv: readonly string[]): Promise<Row[]> {
    return JSON.parse(await this.lake(['--output', 'json', ...argv]));
  }

  /** Says how many rows and bytes each table has. */
  async listTables(): Promise<void> {
    for (const { table, records, bytes } of await this.rows(['table', 'list'])) {
      if (String(table).startsWith('lake_system.')) continue;
      say(
        `    ${String(table).padEnd(26)}${countText(records).padStart(10)} rows ${bytesText(bytes).padStart(9)}`,
      );
    }
  }

  /** A corrected file, as an airport might send it: three June flights were less late than first reported. */
  async landCorrections(): Promise<void> {
    const flights = await this.rows([
      'sql',
      `SELECT _source_file, _row FROM silver.flights WHERE flight_time >= '2001-06-20' AND origin = 'DEN'
       ORDER BY delay_minutes DESC, _row LIMIT 3`,
    ]);
    const lines = flights.map((row) => `${row['_source_file']},${row['_row']},,60,,,,clock was wrong`);
    const header = 'source_file,source_row,flight_time,delay,distance,origin,destination,reason';
    await writeFile(
      join(this.folder, 'data/corrections/2001-07-01.csv'),
      `${[header, ...lines].join('\n')}\n`,
    );
  }

  /** Moves what is old by the policies, waits for a grace of two seconds, deletes the old objects, and draws what lies where. */
  async moveByPolicy(): Promise<void> {
    await this.#setGrace(USUAL_GRACE, GRACE);
    await step(`lake tier plan --now ${TODAY} --out moves.json`, () =>
      this.lake(['tier', 'plan', '--now', TODAY, '--out', 'moves.json']),
    );
    const moved = await step('lake tier apply moves.json', () => this.#apply(['moves.json']));
    for (const one of moved.relocations)
      say(`    ${one.table}: moved ${one.files} files, ${bytesText(one.bytes)}`);
    await systemClock.sleep(GRACE_MS);
    const swept = await step(
      `lake tier apply                           # the grace of ${GRACE} has passed`,
      () => this.#apply(['--now', TODAY, '--yes']),
    );
    if (swept.ledger.waiting + swept.ledger.stillNamed.length > 0)
      throw new DemoFailure('hot copies are left after the grace');
    say(`    ${moved.ledger.deleted + swept.ledger.deleted} old objects deleted: the hot copies are gone`);
    drawTiers(await this.rows(['tier', 'status', '--now', TODAY]));
    await this.#setGrace(GRACE, USUAL_GRACE);
  }

  async #apply(argv: readonly string[]): Promise<ApplyReport> {
    return JSON.parse(await this.lake(['--output', 'json', 'tier', 'apply', ...argv]));
  }

  async #setGrace(from: string, to: string): Promise<void> {
    const file = join(this.folder, 'policies/flights.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(`grace: ${from}`, `grace: ${to}`));
  }
}

/** Which month lies in which tier, over the tables that the policies govern: a line a month, a bar as long as its bytes. */
function drawTiers(status: readonly Row[]): void {
  const months = new Map<string, Map<string, number>>();
  for (const row of status) {
    const month = /\d{4}-\d{2}/.exec(String(row['partition']))?.[0];
    // The records of runs are of today and under no policy: no part of the story.
    if (month === undefined || String(row['table']).startsWith('lake_system.')) continue;
    const tiers = months.get(month) ?? new Map<string, number>();
    tiers.set(String(row['tier']), (tiers.get(String(row['tier'])) ?? 0) + Number(row['bytes']));
    months.set(month, tiers);
  }
  const most = Math.max(...[...months.values()].flatMap((tiers) => [...tiers.values()]));
  say(`    ${'month'.padEnd(9)}${TIERS.map((tier) => tier.padEnd(BAR + 10)).join('')}`.trimEnd());
  for (const [month, tiers] of [...months].sort()) {
    const cells = TIERS.map((tier) => {
      const bytes = tiers.get(tier) ?? 0;
      const bar =
        bytes === 0
          ? '·'
          : `${'█'.repeat(Math.max(1, Math.round((bytes / most) * BAR)))} ${bytesText(bytes)}`;
      return bar.padEnd(BAR + 10);
    });
    say(`    ${month.padEnd(9)}${cells.join('')}`.trimEnd());
  }
}
