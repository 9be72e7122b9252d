/**
 * `npm run demo:stack [-- --keep]`: the story of the demo on MinIO, PostgreSQL, the served catalog and Trino. Every question is asked of Trino and of
 * DuckDB, and they must agree. The servers are stopped at the end unless `--keep` says otherwise, or they ran before.
 */
import { systemClock } from '../../src/clock.ts';
import { TrinoEngine } from '../../src/engine/trino.ts';
import { columnsOf, digestSql } from './demo/digest.ts';
import { DemoFailure, type DemoProject, say, seconds, step, TAG, TODAY, tell } from './demo/project.ts';
import { askBoth, QUESTIONS, timeTravel } from './demo/questions.ts';
import { type DemoServers, demoServers } from './demo/servers.ts';
import { type Answer, duckdb, type Engine, sameAnswer, trino } from './demo/two-engines.ts';

/** The tables that the policy moves. */
const MOVED = ['silver.flights', 'gold.fct_flight', 'gold.mart_daily_delay'];
const WEEK = '2001-01-05..2001-01-07';
const startedAt = systemClock.now();

async function fill({ project }: DemoServers): Promise<void> {
  say('\n2. Land 3,000,000 real flights in MinIO, build silver and a star schema in gold');
  await step('lake run', () => project.lake(['run']));
  await project.listTables();
}

/** Tags, deletions by either engine, a correction. When the first state was the newest, ISO 8601. */
async function makeHistory(project: DemoProject, server: TrinoEngine): Promise<string> {
  say('\n3. Make some history: tag what was reported, delete rows by either engine, land a corrected file');
  for (const table of ['silver.flights', 'gold.fct_flight']) {
    await step(`lake table tag ${table} ${TAG}`, () => project.lake(['table', 'tag', table, TAG]));
  }
  const reported = new Date(systemClock.now()).toISOString();
  const where = "origin = 'EWR' AND delay_minutes > 240 AND flight_time < '2001-05-01'";
  await step(`lake table delete silver.flights --where "origin = 'EWR' AND …"`, () =>
    project.lake(['table', 'delete', 'silver.flights', '--where', where]),
  );
  await step(`trino> DELETE FROM silver.flights WHERE origin = 'LGA' AND …`, () =>
    server.rows(
      `DELETE FROM silver.flights WHERE origin = 'LGA' AND delay_minutes > 300 AND flight_time < TIMESTAMP '2001-03-01 00:00:00'`,
    ),
  );
  await project.landCorrections();
  await step('lake run                                  # data/corrections/2001-07-01.csv is new', () =>
    project.lake(['run']),
  );
  return reported;
}

/** Count and digest of all rows of every snapshot of the tables that move, by both engines, which must agree. */
async function fingerprints(
  project: DemoProject,
  server: TrinoEngine,
  engines: readonly [Engine, Engine],
): Promise<ReadonlyMap<string, Answer>> {
  const found = new Map<string, Answer>();
  for (const table of MOVED) {
    const columns = await columnsOf(server, table);
    for (const row of await project.rows(['table', 'history', table])) {
      const snapshot = String(row['snapshot_id']);
      const [one, other] = await Promise.all(
        engines.map((engine) => engine.ask((at) => digestSql(columns, at(table), engine.name), { snapshot })),
      );
      if (one === undefined || other === undefined || !sameAnswer(one, other)) {
        throw new DemoFailure(
          `${table} as of ${snapshot}: Trino reads ${JSON.stringify(one)}, DuckDB ${JSON.stringify(other)}`,
        );
      }
      found.set(`${table} ${snapshot}`, one);
    }
  }
  return found;
}

/** @throws DemoFailure where an answer of before is another now */
function requireSame(before: ReadonlyMap<string, Answer>, after: ReadonlyMap<string, Answer>): void {
  for (const [point, answer] of before) {
    const now = after.get(point);
    if (now === undefined || !sameAnswer(answer, now))
      throw new DemoFailure(`${point}: ${JSON.stringify(answer)} before, ${JSON.stringify(now)} after`);
  }
}

async function story(servers: DemoServers): Promise<void> {
  const { settings, project } = servers;
  const server = new TrinoEngine({
    server: `http://127.0.0.1:${settings.ports.trino}`,
    catalog: 'lake',
    user: 'analyst',
  });
  const engines = [trino(server), duckdb(project)] as const;
  const proof = (words: string) => step(words, () => fingerprints(project, server, engines));
  await fill(servers);
  const [first] = await project.rows(['table', 'history', 'silver.flights']);
  const reported = await makeHistory(project, server);

  say('\n4. Ask Trino and DuckDB the same');
  const answers = await askBoth(QUESTIONS, engines);
  const before = await proof('count and digest of all rows of every snapshot of the three tables that move');

  say(`\n5. Move by policy, as if it were ${TODAY}: warm after 30 days, cold after 90`);
  await project.moveByPolicy();

  say('\n6. Ask again: what was hot is warm or cold, and the hot copies are gone');
  requireEqual(answers, await askBoth(QUESTIONS, engines));

  say('\n7. Travel in time, over moved files');
  const past = await askBoth(timeTravel(String(first?.['snapshot_id']), reported), engines);
  requireEqual(past.slice(1), past.slice(1).fill(past[1] ?? []));
  const after = await proof('count and digest of all rows of every snapshot, once more');
  requireSame(before, after);
  say(`    ${before.size} snapshots of ${MOVED.length} tables: Trino, DuckDB, before and after agree.`);

  say('\n8. Restore: an audit wants some days hot again');
  await step(`lake tier restore silver.flights --partitions ${WEEK} --for 14d`, () =>
    project.lake(['tier', 'restore', 'silver.flights', '--partitions', WEEK, '--for', '14d', '--yes']),
  );
  requireEqual(answers, await askBoth(QUESTIONS, engines));
  const asked = 3 * QUESTIONS.length + past.length + before.size + after.size;
  say(
    `\nDone in ${seconds(startedAt)}, ${asked} questions asked of Trino and of DuckDB, every answer equal.`,
  );
}

/** @throws DemoFailure where a question has another answer than before */
function requireEqual(before: readonly Answer[], after: readonly Answer[]): void {
  const differ = before.filter((answer, i) => !sameAnswer(answer, after[i] ?? []));
  if (differ.length > 0) throw new DemoFailure(`${differ.length} answers are other ones than before.`);
}

await tell(async () => {
  say('1. MinIO, PostgreSQL, the catalog and Trino on this machine');
  const servers = await demoServers((text) => say(`    ${text}`));
  const interrupted = () => void servers.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const keep = process.argv.includes('--keep');
  try {
    await story(servers);
  } finally {
    if (servers.own && !keep) await servers.stop();
  }
});
