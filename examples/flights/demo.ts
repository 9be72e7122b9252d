/**
 * `npm run demo [FOLDER]`: the whole story on 3,000,000 real flights, by the same commands that a user types. It leaves
 * a project to go on with (default: ./flights-lake).
 */
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bytesText } from '../../src/cli/units.ts';
import { systemClock } from '../../src/clock.ts';
import { DemoFailure, DemoProject, say, seconds, step, TAG, TODAY, tell } from './demo/project.ts';

/** In the project: the demo made it, and may make it anew. */
const MARK = '.lake/demo';
const shown = process.argv[2] ?? 'flights-lake';
const folder = resolve(shown);
const project = new DemoProject(folder);
const lake = (argv: readonly string[], cwd = folder) => project.lake(argv, cwd);
const startedAt = systemClock.now();

/** Count and order-free digest of a table at a point in time. */
async function fingerprint(table: string, asOf: string): Promise<string> {
  const query = `SELECT count(*) AS n, CAST(sum(CAST(hash(t) AS HUGEINT)) AS VARCHAR) AS digest FROM ${table} AS t`;
  const [row] = await project.rows(['sql', query, '--as-of', asOf]);
  return `${row?.['n']} rows, digest ${row?.['digest']}`;
}

/** Every snapshot, tag and the current state of every table. */
async function pointsInTime(): Promise<{ table: string; asOf: string }[]> {
  const points: { table: string; asOf: string }[] = [];
  for (const { table } of await project.rows(['table', 'list'])) {
    const name = String(table);
    for (const row of await project.rows(['table', 'history', name])) {
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
    throw new DemoFailure(
      `${folder} is there already and is not an earlier demo. Name another: npm run demo -- FOLDER`,
    );
  }
  await rm(folder, { recursive: true });
}

async function buildTheLake(): Promise<void> {
  say('1. Land 3,000,000 real flights of January to June 2001, build silver and a star schema in gold');
  await step(`lake init ${shown}`, () => lake(['init', folder], process.cwd()));
  // So that the next run starts from nothing, this folder is marked as the demo's own.
  await mkdir(join(folder, '.lake'), { recursive: true });
  await writeFile(join(folder, MARK), 'made by npm run demo\n');
  await step('lake run', () => lake(['run']));
  await project.listTables();
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
  await project.landCorrections();
  await step('lake run                                  # data/corrections/2001-07-01.csv is new', () =>
    lake(['run']),
  );
  await step('lake run                                  # nothing is new: nothing changes', () =>
    lake(['run']),
  );
  const [row] = await project.rows([
    'sql',
    'SELECT count(*) FILTER (WHERE is_corrected) AS n FROM silver.flights',
  ]);
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

async function moveByPolicy(): Promise<void> {
  say(
    `\n4. Move by policy, as if it were ${TODAY}: warm after 30 days, cold after 90 (policies/flights.yaml)`,
  );
  await project.moveByPolicy();
}

function compare(before: readonly string[], after: readonly string[], tables: number): void {
  const differ = before.filter((answer, i) => after[i] !== answer);
  if (differ.length > 0) {
    throw new DemoFailure(`    NOT AS BEFORE:\n${differ.map((answer) => `      ${answer}`).join('\n')}`);
  }
  say(
    `    ${before.length} points in time of ${tables} tables (snapshots, tags, now): every one answers as before the move.`,
  );
}

await tell(async () => {
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
});
