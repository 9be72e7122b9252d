import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { appendSelect } from '../../src/table/append.ts';
import { createRef } from '../../src/table/tag.ts';
import { seeded } from '../races/race-model.ts';
import { mainHistory, QUERY_ID, twinRows } from './duckdb-twin.ts';
import { TrinoRace } from './race-under-trino.ts';
import { COLUMNS, firstRows, type RacedStatement } from './raced-statements.ts';
import { slowNumbers, startSlow } from './slow-statements.ts';
import { withStack } from './stack.ts';
import { openStackLake } from './stack-lake.ts';
import { createDays, DAY_TEXT, daysByTrino, expectedDays, staleStatements } from './stale-writers.ts';
import { TableMover } from './table-mover.ts';
import { lakeAnswers, lakeSql, type Point, trinoAnswers } from './table-points.ts';
import { TrinoStatement, trinoRows } from './trino-statement.ts';

/** How long the race is at the least, s; it takes minutes more until every kind of statement has met a move, and is left out unless asked for (`npm run test:moves`). */
const SECONDS = Number(process.env['LAKE_TRINO_RACE_SECONDS'] ?? 0);
const DAY_MS = 24 * 3_600_000;
const SEED = Number(process.env['LAKE_RACE_SEED'] ?? systemClock.now() % 1_000_000);
/** On a machine that has much else to do. */
const LONG_MS = 1_200_000;
/** Of the table that is read slowly: a file a day. */
const SLOW_DAYS = 60;
const SLOW_ROWS_A_DAY = 1000;
const NAMESPACE = `moves_${systemClock.uuid().slice(0, 8)}`;

withStack('moves under Trino', () => {
  let lake: Lake;

  beforeAll(async () => {
    lake = await openStackLake();
    await trinoRows(`CREATE SCHEMA lake.${NAMESPACE}`);
  });
  afterAll(async () => {
    await trinoRows(`DROP SCHEMA IF EXISTS lake.${NAMESPACE} CASCADE`);
    await lake?.close();
  });

  it.skipIf(SECONDS === 0)(
    `the table equals a twin without moves at every snapshot, tag and branch (${SECONDS} s)`,
    {
      timeout: SECONDS * 1000 + 1_800_000,
    },
    async () => {
      const [name, table] = ['raced', `lake.${NAMESPACE}.raced`];
      const identifier = { namespace: [NAMESPACE], name };
      const random = seeded(SEED);
      await trinoRows(`CREATE TABLE ${table} (${COLUMNS}) WITH (partitioning = ARRAY['day'])`);
      const first = new Map<string, RacedStatement>();
      const insert = async (sql: string) => {
        const statement = await TrinoStatement.start(sql.replace('{table}', table));
        first.set(statement.id, { kind: 'insert', sql });
        await statement.rest();
      };
      await insert(firstRows(random, 1));
      const beside = await branchBeside(lake, identifier);
      // From here on the branch is no longer staged work that main could be taken to.
      await insert(firstRows(random, 2));

      const race = new TrinoRace(
        lake,
        { namespace: NAMESPACE, name },
        { seed: SEED, durationMs: SECONDS * 1000 },
      );
      await race.run();
      process.stdout.write(`moves under Trino, seed ${SEED}: ${JSON.stringify(race.counts)}\n`);
      expect(race.wrong, `LAKE_RACE_SEED=${SEED}`).toEqual([]);
      expect(race.lacking).toEqual([]);
      // A restored partition stays hot for a moment of the wall clock, so this policy's day is later than that; the first days are cold by it, the last warm.
      const todayMs = systemClock.now() + DAY_MS;
      const cold = Math.floor((todayMs - Date.parse('2001-01-04T00:00:00Z')) / DAY_MS);
      await race.mover.byPolicy(todayMs, { warm: '30d', cold: `${cold}d` });
      await expect.poll(() => race.mover.isSwept(), { timeout: 600_000, interval: 500 }).toBe(true);

      const { metadata } = await lake.catalog.loadTable(identifier);
      const history = mainHistory(metadata);
      const kept = new Set(history.map(({ summary }) => summary[QUERY_ID]));
      expect(race.done.filter((id) => !kept.has(id))).toEqual([]);
      expect([...race.failed].filter(([id]) => kept.has(id))).toEqual([]);

      const expected = await twinRows(lake, metadata, new Map([...first, ...race.sent]));
      const points = new Map<Point, readonly string[]>(expected);
      const ahead = (expected.get(beside.parent) ?? []).concat(beside.row).sort();
      for (const { 'snapshot-id': id } of metadata.snapshots) if (!expected.has(id)) points.set(id, ahead);
      for (const [ref, { 'snapshot-id': id }] of Object.entries(metadata.refs))
        points.set(ref, points.get(id) ?? []);
      // The catalog of this table has no other snapshots than these, and none was lost.
      expect(history[0]?.['parent-snapshot-id']).toBeUndefined();
      const asked = [...points.keys()];
      const wanted = new Map(asked.map((point) => [point, answerOf(points.get(point) ?? [])]));
      expect(await trinoAnswers(table, asked), `LAKE_RACE_SEED=${SEED}`).toEqual(wanted);
      expect(await lakeAnswers(lake, `${NAMESPACE}.${name}`, asked), `LAKE_RACE_SEED=${SEED}`).toEqual(
        wanted,
      );

      const retired = await race.mover.retired();
      expect(retired.length).toBeGreaterThan(20);
      const left = await Promise.all(retired.map(async ({ from }) => lake.objects.exists(from)));
      expect(retired.filter((_, at) => left[at])).toEqual([]);
      const files = await trinoRows(
        `SELECT DISTINCT regexp_extract(file_path, '^s3://[^/]+') FROM lake.${NAMESPACE}."${name}$files" WHERE content = 0`,
      );
      expect(files.flat()).not.toContain('s3://lake-hot');
    },
  );

  it('a query that began before a move reads on while the files it reads are moved', {
    timeout: LONG_MS,
  }, async () => {
    const table = `lake.${NAMESPACE}.slow`;
    const identifier = { namespace: [NAMESPACE], name: 'slow' };
    await trinoRows(`CREATE TABLE ${table} WITH (partitioning = ARRAY['day']) AS
      SELECT a.n + 10000 * b.m AS id, date_add('day', b.m, DATE '2001-01-01') AS day
      FROM UNNEST(sequence(1, ${SLOW_ROWS_A_DAY})) AS a(n) CROSS JOIN UNNEST(sequence(0, ${SLOW_DAYS - 1})) AS b(m)`);
    // Wide enough that Trino cannot have read all of it while nobody takes the rows from it.
    const query = await TrinoStatement.start(`SELECT id, lpad(CAST(id AS varchar), 1500, '.') FROM ${table}`);
    const ids: number[] = [];
    const take = (rows: readonly (readonly unknown[])[]) => {
      for (const [id, wide] of rows) {
        if (wide !== String(id).padStart(1500, '.')) throw new Error(`row ${id} came as ${wide}`);
        ids.push(Number(id));
      }
    };
    while (ids.length === 0) take((await query.next()) ?? []);
    const mover = new TableMover(lake, identifier, { graceMs: 3_600_000 });
    const [moved] = await mover.byPolicy(Date.parse('2001-12-01T00:00:00Z'), { warm: '30d', cold: '9mo' });
    expect(moved).toMatchObject({ state: 'swapped', files: SLOW_DAYS });
    take((await query.next()) ?? []);
    // Some of the files were still to be opened when the swap was made.
    expect(query.stats.processedRows).toBeLessThan(SLOW_DAYS * SLOW_ROWS_A_DAY);
    for (let rows = await query.next(); rows !== null; rows = await query.next()) take(rows);
    const wanted = Array.from({ length: SLOW_DAYS }, (_, day) =>
      Array.from({ length: SLOW_ROWS_A_DAY }, (_unused, n) => n + 1 + 10_000 * day),
    ).flat();
    expect(ids.sort((a, b) => a - b).join()).toBe(wanted.join());
  });

  it('writers that planned before a move are fenced, lose and resurrect nothing, and get through again', {
    timeout: LONG_MS,
  }, async () => {
    for (let times = 16; ; times *= 2) {
      const name = `stale_${times}`;
      const table = `lake.${NAMESPACE}.${name}`;
      await createDays(table);
      const identifier = { namespace: [NAMESPACE], name };
      const mover = new TableMover(lake, identifier, { graceMs: 3_600_000 });
      const writers = await Promise.all(staleStatements(table, slowNumbers(times)).map(startSlow));
      const isTooLate = () => writers.some((writer) => writer.isOver());
      const [moved] = isTooLate()
        ? []
        : await mover.byPolicy(Date.parse('2001-12-01T00:00:00Z'), { warm: '30d', cold: '9mo' });
      const metAll = !isTooLate();
      const outcomes = await Promise.all(writers.map((writer) => writer.outcome));
      // A machine that was quicker than the move: more work for it.
      if (!metAll) continue;
      expect(moved?.state).toBe('swapped');
      // Blind appends name no file: they go on from the fence.
      const [inserted, ...fenced] = outcomes;
      expect(inserted).toBe(5);
      expect(fenced).toEqual(
        fenced.map(() => expect.objectContaining({ errorName: 'ICEBERG_COMMIT_ERROR' })),
      );
      expect(await daysByTrino(table)).toEqual(expectedDays({ isChanged: false }));
      for (const sql of staleStatements(table, '(VALUES 0, 1, 2, 3, 4)').slice(1)) await trinoRows(sql);
      expect(await daysByTrino(table)).toEqual(expectedDays({ isChanged: true }));
      const ours = await lakeSql(lake, `SELECT ${DAY_TEXT} AS r FROM ${NAMESPACE}.${name}`);
      expect(ours.map((row) => String(row['r'])).sort()).toEqual(expectedDays({ isChanged: true }));
      return;
    }
  });
});

const answerOf = (rows: readonly string[]) => ({ rows, count: rows.length });

/** A branch with a commit of its own, by Lakewarden: its snapshots are moved as main's are. */
async function branchBeside(lake: Lake, identifier: { namespace: string[]; name: string }) {
  const { metadata } = await lake.catalog.loadTable(identifier);
  await createRef(lake, identifier, { name: 'beside', type: 'branch' });
  const engine = await openLakeEngine(lake);
  try {
    const sql = `SELECT 9000::BIGINT AS id, DATE '2001-01-02' AS day, 1.5::DECIMAL(12,2) AS amount, 'beside' AS label,
      TIMESTAMP '2001-01-02 00:00:00.000001' AS seen, true AS good`;
    await appendSelect(lake, engine, identifier, { sql, branch: 'beside' });
  } finally {
    await engine.close();
  }
  const parent = metadata.refs['main']?.['snapshot-id'] ?? 0n;
  return { parent, row: '9000|2001-01-02|1.50|beside|2001-01-02 00:00:00.000001|true' };
}
