import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { withStack } from './stack.ts';
import { openStackLake } from './stack-lake.ts';
import { TableMover } from './table-mover.ts';
import { lakeSql } from './table-points.ts';
import { disagreements, type TypedAnswer, timedAnswer } from './tpch-answers.ts';
import { onGenerated, onTables, tpchQueries, tpchTables } from './tpch-lake.ts';
import { trinoRows } from './trino-statement.ts';

/** `tiny` (a hundredth), `sf1`, or another schema of Trino's generator. */
const SCALE = process.env['LAKE_TPCH_SCALE'] ?? 'tiny';
const SOURCE = `tpch.${SCALE}`;
const NAMESPACE = `tpch_${SCALE}_${systemClock.uuid().slice(0, 8)}`;
const SCHEMA = `lake.${NAMESPACE}`;
const LONGEST_MS = 7_200_000;

withStack(`TPC-H, ${SCALE}`, () => {
  const queries = tpchQueries();
  const expected = new Map<string, TypedAnswer>();
  const before = new Map<string, TypedAnswer>();
  const after = new Map<string, TypedAnswer>();
  let lake: Lake;

  const ask = (sql: string) => timedAnswer(sql, () => systemClock.now());

  beforeAll(async () => {
    lake = await openStackLake();
    await trinoRows(`CREATE SCHEMA ${SCHEMA}`);
    for (const [table, sql] of tpchTables(SCHEMA, SOURCE)) {
      const { ms, rows } = await ask(sql);
      process.stdout.write(`made ${table}: ${rows} rows in ${ms} ms\n`);
    }
  }, LONGEST_MS);
  afterAll(async () => {
    process.stdout.write(report(SCALE, { expected, before, after }));
    await trinoRows(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    await lake?.close();
  });

  it('answers all 22 queries as Trino answers them from its own generator', {
    timeout: LONGEST_MS,
  }, async () => {
    expect(queries.size).toBe(22);
    for (const [name, query] of queries) {
      expected.set(name, await ask(onGenerated(query, SOURCE)));
      before.set(name, await ask(onTables(query, SCHEMA)));
      expect(rowsOf(before, name), name).toEqual(rowsOf(expected, name));
    }
    expect([...expected.values()].filter(({ rows }) => rows.length > 0).length).toBeGreaterThanOrEqual(20);
  });

  it('answers the same once all of lineitem lies in warm and cold and its old objects are gone', {
    timeout: LONGEST_MS,
  }, async () => {
    const places = `SELECT regexp_extract(file_path, '^s3://[^/]+'), count(*) FROM ${SCHEMA}."lineitem$files" GROUP BY 1 ORDER BY 1`;
    expect((await trinoRows(places)).map(([bucket]) => bucket)).toEqual(['s3://lake-hot']);
    const mover = new TableMover(lake, { namespace: [NAMESPACE], name: 'lineitem' }, { graceMs: 0 });
    // Three years and a half are cold, as many warm.
    const moved = await mover.byPolicy(Date.parse('1999-06-01T00:00:00Z'), { warm: '30d', cold: '45mo' });
    expect(moved.map(({ state }) => state)).toEqual(['swapped']);
    await expect.poll(() => mover.isSwept(), { timeout: 600_000, interval: 500 }).toBe(true);
    const retired = await mover.retired();
    const left = await Promise.all(retired.map(({ from }) => lake.objects.exists(from)));
    expect(retired.filter((_, at) => left[at])).toEqual([]);
    const now = await trinoRows(places);
    process.stdout.write(
      `lineitem: ${retired.length} objects moved and their old ones deleted; files now ${JSON.stringify(now)}\n`,
    );
    expect(now.map(([bucket]) => bucket)).toEqual(['s3://lake-cold', 's3://lake-warm']);

    for (const [name, query] of queries) {
      after.set(name, await ask(onTables(query, SCHEMA)));
      expect(rowsOf(after, name), name).toEqual(rowsOf(expected, name));
    }
  });

  it('is read the same by lake sql', { timeout: LONGEST_MS }, async () => {
    const wrong: string[] = [];
    for (const [name, query] of queries) {
      const answer = after.get(name);
      if (answer === undefined) throw new Error(`${name} was not asked of Trino`);
      const rows = await lakeSql(lake, onTables(query, NAMESPACE));
      wrong.push(...disagreements(answer, rows).map((what) => `${name}: ${what}`));
    }
    expect(wrong).toEqual([]);
  });
});

const rowsOf = (answers: ReadonlyMap<string, TypedAnswer>, name: string) => answers.get(name)?.rows;

/** Milliseconds of each query: from the generator, from the lake, and from the lake after the move. */
function report(
  scale: string,
  of: { readonly [column in 'expected' | 'before' | 'after']: ReadonlyMap<string, TypedAnswer> },
): string {
  const lines = [...of.after.keys()].map((name) => {
    const [generated, hot, moved] = [of.expected, of.before, of.after].map((all) => all.get(name)?.ms ?? 0);
    const rows = of.after.get(name)?.rows.length;
    return `${name}  ${rows} rows  generated ${generated} ms  hot ${hot} ms  moved ${moved} ms  moved/hot ${((moved ?? 0) / (hot || 1)).toFixed(2)}`;
  });
  const sum = (all: ReadonlyMap<string, TypedAnswer>) =>
    [...all.values()].reduce((total, { ms }) => total + ms, 0);
  const total = `all of TPC-H ${scale}: generated ${sum(of.expected)} ms, hot ${sum(of.before)} ms, moved ${sum(of.after)} ms, moved/hot ${(sum(of.after) / sum(of.before)).toFixed(2)}`;
  return `${[...lines, total].join('\n')}\n`;
}
