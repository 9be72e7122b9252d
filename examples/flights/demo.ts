/**
 * `npm run demo [FOLDER]`: the whole story on 3,000,000 real flights, by the same commands that a user types. It leaves
 * a project to go on with (default: ./flights-lake).
 */
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runCli } from '../../src/cli/program.ts';
import { processTerminal, type Terminal } from '../../src/cli/terminal.ts';
import { bytesText, countText } from '../../src/cli/units.ts';
import { systemClock } from '../../src/clock.ts';
import type { ApplyReport } from '../../src/tiering/apply-plan.ts';

type Row = Readonly<Record<string, unknown>>;

/** The day that the policies take for today: the flights are of January to June 2001. */
const TODAY = '2001-07-01';
const GRACE = '2s';
const GRACE_MS = 2000;
const TAG = 'reported';
const TIERS = ['hot', 'warm', 'cold'];
/** Longest bar, characters. */
const BAR = 14;
/** In the project: the demo made it, and may make it anew. */
const MARK = '.lake/demo';
const folder = resolve(process.argv[2] ?? 'flights-lake');
const shown = process.argv[2] ?? 'flights-lake';
const startedAt = systemClock.now();
const own = processTerminal();

const say = (text = '') => own.stdout.write(`${text}\n`);
const seconds = (since: number) => `${((systemClock.now() - since) / 1000).toFixed(1)} s`;

/** Runs one command in the project and returns what it wrote to stdout. A failure ends the demo with its message. */
async function lake(argv: readonly string[], cwd = folder): Promise<string> {
  const written: string[] = [];
  const terminal: Terminal = {
    ...own,
    cwd,
    stdinIsTTY: false,
    stdout: { write: (text) => void written.push(text), isTTY: false },
    stderr: { ...own.stderr, write: (text) => own.stderr.write(text) },
  };
  const code = await runCli(['--log-level', 'warn', ...argv], terminal);
  if (code !== 0) {
    say(written.join(''));
    process.exit(code);
  }
  return written.join('');
}

const rowsOf = async (argv: readonly string[]): Promise<Row[]> =>
  JSON.parse(await lake(['--output', 'json', ...argv]));

/** A step of the story: the command as the user would type it, and how long it took. */
async function step<T>(command: string, body: () => Promise<T>): Promise<T> {
  const since = systemClock.now();
  const result = await body();
  say(`$ ${command.padEnd(78)} ${seconds(since).padStart(7)}`);
  return result;
}

/** Count and order-free digest of a table at a point in time. */
async function fingerprint(table: string, asOf: string): Promise<string> {
  const query = `SELECT count(*) AS n, CAST(sum(CAST(hash(t) AS HUGEINT)) AS VARCHAR) AS digest FROM ${table} AS t`;
  const [row] = await rowsOf(['sql', query, '--as-of', asOf]);
  return `${row?.['n']} rows, digest ${row?.['digest']}`;
}

/** Every snapshot, tag and the current state of every table. */
async function pointsInTime(): Promise<{ table: string; asOf: string }[]> {
  const points: { table: string; asOf: string }[] = [];
  for (const { table } of await rowsOf(['table', 'list'])) {
    const name = String(table);
    for (const row of await rowsOf(['table', 'history', name])) {
      const refs = Array.isArray(row['refs']) ? row['refs'].map(String) : [];
      for (const asOf of [String(row['snapshot_id']), ...refs]) points.push({ table: name, asOf });
    }
  }
  return points;
}

async function allAnswers(points: readonly { table: string; asOf: string }[]): Promise<string[]> {
  const answers: string[] = [];
  for (const { table, asOf } of points)
    answers.push(`${table} as of ${asOf}: ${await fingerprint(table, asOf)}`);
  return answers;
}

/** The demo's folder, empty. A folder that is not an earlier demo's is left alone. */
async function makeRoom(): Promise<void> {
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(folder))) return;
  if (!(await exists(join(folder, MARK)))) {
    own.stderr.write(
      `${folder} is there already and is not an earlier demo. Name another: npm run demo -- FOLDER\n`,
    );
    process.exit(1);
  }
  await rm(folder, { recursive: true });
}

/** A corrected file, as an airport might send it: three June flights were less late than first reported. */
async function landCorrections(): Promise<void> {
  const flights = await rowsOf([
    'sql',
    `SELECT _source_file, _row FROM silver.flights WHERE flight_time >= '2001-06-20' AND origin = 'DEN'
     ORDER BY delay_minutes DESC, _row LIMIT 3`,
  ]);
  const lines = flights.map((row) => `${row['_source_file']},${row['_row']},,60,,,,clock was wrong`);
  const header = 'source_file,source_row,flight_time,delay,distance,origin,destination,reason';
  await writeFile(join(folder, 'data/corrections/2001-07-01.csv'), `${[header, ...lines].join('\n')}\n`);
}

async function setGrace(from: string, to: string): Promise<void> {
  const file = join(folder, 'policies/flights.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(`grace: ${from}`, `grace: ${to}`));
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

async function buildTheLake(): Promise<void> {
  say('1. Land 3,000,000 real flights of January to June 2001, build silver and a star schema in gold');
  await step(`lake init ${shown}`, () => lake(['init', folder], process.cwd()));
  // So that the next run starts from nothing, this folder is marked as the demo's own.
  await mkdir(join(folder, '.lake'), { recursive: true });
  await writeFile(join(folder, MARK), 'made by npm run demo\n');
  await step('lake run', () => lake(['run']));
  for (const row of await rowsOf(['table', 'list'])) {
    if (String(row['table']).startsWith('lake_system.')) continue;
    say(
      `    ${String(row['table']).padEnd(26)}${countText(row['records']).padStart(10)} rows ${bytesText(row['bytes']).padStart(9)}`,
    );
  }
}

async function makeHistory(): Promise<void> {
  say('\n2. Make some history: tag what was reported, delete rows, land a corrected file');
  for (const table of ['silver.flights', 'gold.fct_flight']) {
    await step(`lake table tag ${table} ${TAG}`, () => lake(['table', 'tag', table, TAG]));
  }
  const where = "origin = 'EWR' AND delay_minutes > 240 AND flight_time < '2001-05-01'";
  const deleted = await step(`lake table delete silver.flights --where "origin = 'EWR' AND …"`, () =>
    lake(['table', 'delete', 'silver.flights', '--where', where]),
  );
  say(`    ${deleted.trim().split('. ')[0]}`);
  await landCorrections();
  await step('lake run                                  # data/corrections/2001-07-01.csv is new', () =>
    lake(['run']),
  );
  await step('lake run                                  # nothing is new: nothing changes', () =>
    lake(['run']),
  );
  const [row] = await rowsOf(['sql', 'SELECT count(*) FILTER (WHERE is_corrected) AS n FROM silver.flights']);
  say(`    ${row?.['n']} flights corrected`);
}

async function askAQuestion(): Promise<void> {
  say('\n3. Ask: from where did flights leave latest?');
  const query = `SELECT a.city, count(*) AS flights, round(avg(f.delay_minutes), 1) AS avg_delay
    FROM gold.fct_flight f JOIN gold.dim_airport a ON a.airport_key = f.origin_key
    GROUP BY a.city HAVING count(*) > 20000 ORDER BY avg_delay DESC LIMIT 3`;
  const answer = await step(
    'lake sql "SELECT city, count(*), avg(delay_minutes) FROM gold.fct_flight JOIN …"',
    () => lake(['sql', query]),
  );
  say(answer.trimEnd().replace(/^/gm, '    '));
}

const applyMoves = async (argv: readonly string[]): Promise<ApplyReport> =>
  JSON.parse(await lake(['--output', 'json', 'tier', 'apply', ...argv]));

async function moveByPolicy(): Promise<void> {
  say(
    `\n4. Move by policy, as if it were ${TODAY}: warm after 30 days, cold after 90 (policies/flights.yaml)`,
  );
  await setGrace('24h', GRACE);
  await step(`lake tier plan --now ${TODAY} --out moves.json`, () =>
    lake(['tier', 'plan', '--now', TODAY, '--out', 'moves.json']),
  );
  const moved = await step('lake tier apply moves.json', () => applyMoves(['moves.json']));
  for (const one of moved.relocations)
    say(`    ${one.table}: moved ${one.files} files, ${bytesText(one.bytes)}`);
  await systemClock.sleep(GRACE_MS);
  const swept = await step(
    `lake tier apply                           # the grace of ${GRACE} has passed`,
    () => applyMoves(['--now', TODAY, '--yes']),
  );
  if (swept.ledger.waiting + swept.ledger.stillNamed.length > 0)
    throw new Error('hot copies are left after the grace');
  say(`    ${moved.ledger.deleted + swept.ledger.deleted} old objects deleted: the hot copies are gone`);
  drawTiers(await rowsOf(['tier', 'status', '--now', TODAY]));
  await setGrace(GRACE, '24h');
}

function compare(before: readonly string[], after: readonly string[], tables: number): void {
  const differ = before.filter((answer, i) => after[i] !== answer);
  if (differ.length > 0) {
    say(`    NOT AS BEFORE:\n${differ.map((answer) => `      ${answer}`).join('\n')}`);
    process.exit(1);
  }
  say(
    `    ${before.length} points in time of ${tables} tables (snapshots, tags, now): every one answers as before the move.`,
  );
}

await makeRoom();
await buildTheLake();
await makeHistory();
await askAQuestion();
const points = await pointsInTime();
const before = await allAnswers(points);
await moveByPolicy();
say('\n5. Prove it: count and digest of all rows, before and after, the hot copies being gone');
const after = await step('lake sql --as-of EACH "SELECT count(*), sum(hash(t)) FROM EACH t"', () =>
  allAnswers(points),
);
compare(before, after, new Set(points.map((point) => point.table)).size);
const peak = bytesText(process.resourceUsage().maxRSS * 1024);
say(`\nDone in ${seconds(startedAt)}, peak memory ${peak}. The project stays in ${shown}. Go on with:`);
const go = `  npm run -s lake -- -C ${shown}`;
say(`${go} tier status                  # what lies where`);
say(`${go} sql --as-of ${TAG} "SELECT count(*) FROM gold.fct_flight"`);
say(`${go} table history silver.flights # every snapshot`);
say(`${go} catalog serve                # read it with PyIceberg, Spark or Trino`);
