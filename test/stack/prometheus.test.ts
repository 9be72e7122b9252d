import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Journal } from '../../src/tiering/journal.ts';
import { prometheusMissing } from '../../stack/prometheus.ts';
import { freePort } from '../free-port.ts';
import { panelQueries } from '../grafana/dashboard.ts';
import { type PrometheusServer, type Series, startPrometheus } from './prometheus-server.ts';
import { openWatchedLake, WATCHED_AT, type WatchedLake } from './watched-lake.ts';

const run = promisify(execFile);
const missing = prometheusMissing();
if (missing !== null) {
  if (process.env['CI'] !== undefined) throw new Error(missing);
  console.warn(`left out, the tests of Prometheus: ${missing}`);
}

const DAY = 86_400;
/** All that a panel needs was scraped before the first is asked; rates fade while one waits. */
const PATIENCE_MS = 10_000;
/** Between what the test asks and what was scraped last, s. */
const LATE = 60;
const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
const within = (from: number, to: number) => (value: number) => value >= from && value <= to;

/** Values by the labels that the query leaves, joined by spaces in the order of their names. */
type Expected = Readonly<Record<string, number | ((value: number) => boolean)>>;

function byLabels(series: readonly Series[]): Record<string, number> {
  const key = ({ labels }: Series) =>
    Object.entries(labels)
      .filter(([name]) => name !== '__name__')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => value)
      .join(' ');
  return Object.fromEntries(series.map((one) => [key(one), one.value]));
}

describe.skipIf(missing !== null)('alert rules', () => {
  it('fire when they should and not before', async () => {
    const folder = join(import.meta.dirname, '../../prometheus');
    const config = await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')]);
    expect(config.stdout).toContain('SUCCESS');
    const tests = await run('promtool', ['test', 'rules', join(folder, 'rules/lake.test.yml')]);
    expect(tests.stdout).toContain('SUCCESS');
  });
});

describe.skipIf(missing !== null)('a lake under Prometheus', () => {
  let folder: string;
  let watched: WatchedLake;
  let server: PrometheusServer;
  let expected: Readonly<Record<string, Expected>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-prometheus-'));
    watched = await openWatchedLake();
    expected = await answersOf(watched);
    // `lake tier plan` refuses all of it from here on.
    await watched.write(
      'policies/broken.yaml',
      'version: 1\npolicies:\n  - { name: broken, match: { tables: [gold.total] }, transitions: [ { to: cold, after: 1d } ] }\n',
    );
    const at = (port: number) => `127.0.0.1:${port}`;
    server = await startPrometheus(join(folder, 'prometheus'), {
      catalog: at(watched.ports.catalog),
      lake: at(watched.ports.exporter),
      trino: at(await freePort()),
      prometheus: at(await freePort()),
    });
    await answered(server, 'lakewarden_orphan_objects and on () lakewarden_catalog_tables');
    // A counter that is first seen at 1 has not risen: what rises while it is watched comes twice.
    await commitAndConflict(watched, 'first');
    await answered(server, 'lakewarden_catalog_commits_total{outcome="conflict"} == 1');
    await commitAndConflict(watched, 'second');
    await watched.failingRun();
    await answered(server, 'lakewarden_catalog_commits_total{outcome="conflict"} == 2');
    await answered(
      server,
      'lakewarden_runs_total{status="failed"} == 2 and on () lakewarden_policy_failing == 1',
    );
  });
  afterAll(async () => {
    await server?.close();
    await watched?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const queries = panelQueries().filter(({ expr }) => !expr.includes('trino_'));
  it.each(queries)('answers "$panel" $refId', async ({ panel, refId, expr }) => {
    const wanted = expected[`${panel} ${refId}`];
    if (wanted === undefined) throw new Error(`nobody has said what ${panel} ${refId} should answer`);
    const names = Object.keys(wanted).sort();
    await expect
      .poll(
        async () => {
          const found = byLabels(await server.query(expr));
          expect(Object.keys(found).sort(), expr).toEqual(names);
          for (const [name, value] of Object.entries(wanted)) {
            const at = found[name] ?? Number.NaN;
            if (typeof value === 'number') expect(at, `${name}: ${expr}`).toBeCloseTo(value, 2);
            else expect(at, `${name}: ${expr}`).toSatisfy(value);
          }
          return true;
        },
        { timeout: PATIENCE_MS },
      )
      .toBe(true);
  });

  it('expects nothing of panels that are not there', () => {
    const there = new Set(queries.map(({ panel, refId }) => `${panel} ${refId}`));
    expect(Object.keys(expected).filter((name) => !there.has(name))).toEqual([]);
  });

  it('lets the alerts fire that this lake deserves, and no others', async () => {
    await expect
      .poll(() => server.firing())
      .toEqual([
        'LakeChecksFailing',
        'LakeMoveInterrupted',
        'LakePolicyBehind',
        'LakePolicyFailing',
        'LakeRunFailing',
        'LakeSlaMissed',
      ]);
  });
});

/** Waits until a query has an answer; what it waits for does come, or the hook's time limit tells. */
async function answered(server: PrometheusServer, expr: string): Promise<void> {
  while ((await server.query(expr)).length === 0) await systemClock.sleep(200);
}

/** A commit through the served catalog, and one that comes too late. */
async function commitAndConflict({ served }: WatchedLake, name: string): Promise<void> {
  const identifier = { namespace: ['gold'], name: 'total' };
  const { metadata } = await served.loadTable(identifier);
  const requirements = [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] } as const];
  const updates = [{ action: 'set-properties', updates: { [name]: 'yes' } } as const];
  await served.commitTable({ identifier, requirements, updates });
  const stale = [
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1n } as const,
    ...requirements,
  ];
  await expect(served.commitTable({ identifier, requirements: stale, updates })).rejects.toMatchObject({
    kind: 'conflict',
  });
}

interface StatusRow {
  readonly table: string;
  readonly tier: string;
  readonly files: number;
  readonly bytes: number;
}
interface PlanMove {
  readonly table: string;
  readonly partition: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}
interface LoggedRun {
  readonly command: string;
  readonly status: string;
  readonly rows: number;
  readonly seconds: number;
  readonly ended: number;
}

/** What each query of the dashboard must answer, by what the commands say and by what was done to the lake. */
async function answersOf(watched: WatchedLake): Promise<Record<string, Expected>> {
  const status = await watched.run<StatusRow[]>(['tier', 'status']);
  const { moves } = await watched.run<{ moves: PlanMove[] }>(['--now', WATCHED_AT, 'tier', 'plan']);
  const tables = (await watched.run<{ table: string }[]>(['table', 'list'])).map(({ table }) => table);
  const grouped = (of: (row: StatusRow) => number, key: (row: StatusRow) => string) =>
    Object.fromEntries([...Map.groupBy(status, key)].map(([name, rows]) => [name, sum(rows.map(of))]));
  const way = ({ from, to }: PlanMove) => `${from} ${to}`;
  const planned = [...Map.groupBy(moves, way)];
  // A second run fails while Prometheus looks: the sizes of lake_system's tables change.
  const lasting = ({ table }: { table: string }) => !table.startsWith('lake_system.');
  expect(status.filter(lasting).map(({ tier }) => tier)).toContain('warm');
  expect(moves.length).toBeGreaterThan(3);
  expect(moves.every(({ table }) => table === 'silver.e')).toBe(true);
  const system = { bytes: within(1, 200_000), objects: within(2, 20) };
  const rows = await rowCounts(watched, tables);
  const now = Date.parse(WATCHED_AT) / 1000;
  const since = (time: string) => {
    const age = now - Date.parse(time) / 1000;
    return within(age, age + 10 * LATE);
  };
  const retired = await retiredOf(watched);
  const published = (await loggedRuns(watched)).find((one) => one.status === 'published');
  const ofHot = (of: (row: StatusRow) => number) => {
    const own = sum(status.filter((row) => lasting(row) && row.tier === 'hot').map(of));
    return (value: number) => (of === bytesOf ? system.bytes : system.objects)(value - own);
  };
  const exact = (of: (row: StatusRow) => number) => ({ ...grouped(of, ({ tier }) => tier), hot: ofHot(of) });
  const positive = (value: number) => value > 0;
  const some = within(0, Infinity);
  return {
    'Alerts A': { '': within(6, 12) },
    'Moves interrupted A': { '': 1 },
    // Days 1 to 3 were moved. Day 4 ended on 2001-01-05: warm 30 days later.
    'Oldest unmoved partition A': { '': since('2001-02-04T00:00:00Z') },
    'Staler than allowed A': { '': 1 },
    'Checks failing A': { '': 1 },
    'Age of these figures A': { '': within(-1, LATE) },
    'Bytes per tier A': exact(bytesOf),
    'Objects per tier A': exact(({ files }) => files),
    'Largest tables A': {
      ...grouped(bytesOf, ({ table, tier }) => `${table} ${tier}`),
      'lake_system.runs hot': positive,
      'lake_system.checks hot': positive,
    },
    'Moves planned A': Object.fromEntries(planned.map(([name, of]) => [name, of.length])),
    'Bytes planned to move A': Object.fromEntries(
      planned.map(([name, of]) => [name, sum(of.map(({ bytes }) => bytes))]),
    ),
    'Moves done and failed A': { '': 4 },
    'Moves done and failed B': { '': 2 },
    'Moves done and failed C': { '': 1 },
    'Oldest unmoved partition against policy A': {
      'old silver.e': since('2001-02-04T00:00:00Z'),
      'old silver.f': since('2001-02-04T00:00:00Z'),
      'broken gold.total': 0,
    },
    'Old objects A': { '': retired.objects },
    'Old objects B': { '': 0 },
    'Bytes held by old objects A': { '': retired.bytes },
    'Policies that fail A': { old: 0, broken: 1 },
    'Tables that cannot be moved A': { 'silver.e': 0, 'silver.f': 1, 'gold.total': 0 },
    'Commits A': { 'table committed': positive },
    'Conflicts A': { '': positive },
    'Conflicts B': { '': some },
    'Time of requests A': { '': within(0.0001, 30) },
    'Time of requests B': { '': within(0.0001, 30) },
    'Runs by outcome A': { 'run published': 1, 'run failed': 2 },
    'Run failures A': { run: positive },
    'Time of the last run A': { 'run published': published?.seconds ?? -1, 'run failed': positive },
    'Time since the last run A': { 'run published': within(0, 600), 'run failed': within(0, 600) },
    'Delay of tables A': { 'ts silver.e': within(2.908, 2.909 + (10 * LATE) / (10 * DAY)) },
    'Time since tables changed A': Object.fromEntries(tables.map((table) => [table, within(0, 600)])),
    'Rows by table A': { ...rows, 'lake_system.runs': 3, 'lake_system.checks': positive },
    'Rows written by runs A': { run: positive },
    'Checks that fail A': { 'error silver.e': 1 },
    'Orphaned objects A': { 'silver.e': 1 },
    'Orphaned objects B': { '': 1 },
    'Bytes of orphans A': { '': 'left by a writer'.length },
    'Bytes of orphans B': { '': 'left by a writer'.length },
    'Problems with reading the lake A': { policies: 0, models: 0, tables: 0, runs: 0 },
  };
}

const bytesOf = ({ bytes }: StatusRow): number => bytes;

async function rowCounts(
  { run: ask }: WatchedLake,
  tables: readonly string[],
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of tables) {
    const [row] = await ask<{ n: number }[]>(['sql', `SELECT count(*) AS n FROM ${table}`]);
    counts[table] = row?.n ?? -1;
  }
  return counts;
}

function loggedRuns({ run: ask }: WatchedLake): Promise<LoggedRun[]> {
  return ask([
    'sql',
    'SELECT command, status, "rows", epoch(ended_at) - epoch(started_at) AS seconds, epoch(ended_at) AS ended FROM lake_system.runs',
  ]);
}

async function retiredOf({ lake }: WatchedLake): Promise<{ objects: number; bytes: number }> {
  const journal = new Journal(lake.catalog);
  const sizes: number[] = [];
  for (const { 'relocation-id': id } of await journal.relocationsIn('swapped'))
    for await (const { size } of journal.moves(id)) sizes.push(size);
  let objects = 0;
  for await (const entry of journal.ledger()) objects += entry.kind === undefined ? 0 : 1;
  return { objects, bytes: sum(sizes) };
}
