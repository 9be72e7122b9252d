import { openQueryEngine } from '../../src/cli/query-engine.ts';
import { inParallel } from '../../src/in-parallel.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { ROW_TEXT } from './raced-statements.ts';
import { trinoRows } from './trino-statement.ts';

/** Points that one statement of Trino asks for: one a time takes longer than its plan for many. */
const POINTS_A_STATEMENT = 16;
const AT_ONCE = 3;

/** What a table answers at a point. */
export interface PointAnswer {
  /** Sorted texts of all columns. */
  readonly rows: readonly string[];
  /** What `count(*)` says, which an engine may answer from metadata. */
  readonly count: number;
}

/** A snapshot id, or the name of a tag or branch. */
export type Point = bigint | string;

/** @param table `lake.namespace.name` */
export async function trinoAnswers(
  table: string,
  points: readonly Point[],
): Promise<Map<Point, PointAnswer>> {
  const answers = new Map<Point, PointAnswer>();
  for (let at = 0; at < points.length; at += POINTS_A_STATEMENT) {
    const batch = points.slice(at, at + POINTS_A_STATEMENT);
    const ask = (what: string) =>
      batch
        .map((point, i) => {
          const version = typeof point === 'bigint' ? point : `'${point}'`;
          return `SELECT ${i}, ${what} FROM ${table} FOR VERSION AS OF ${version}`;
        })
        .join(' UNION ALL ');
    const rows = await trinoRows(ask(ROW_TEXT));
    const counts = new Map(await trinoRows(ask('count(*)')).then((found) => found.map(([i, n]) => [i, n])));
    for (const [i, point] of batch.entries()) {
      const own = rows.filter(([of]) => of === i).map(([, text]) => String(text));
      answers.set(point, { rows: own.sort(), count: Number(counts.get(i)) });
    }
  }
  return answers;
}

/** @param table `namespace.name`, as `lake sql` takes it */
export async function lakeAnswers(
  lake: Lake,
  table: string,
  points: readonly Point[],
): Promise<Map<Point, PointAnswer>> {
  const answers = await inParallel(points, AT_ONCE, async (point) => {
    const rows = await lakeSql(lake, `SELECT ${ROW_TEXT} AS r FROM ${table}`, String(point));
    const [counted] = await lakeSql(lake, `SELECT count(*) AS n FROM ${table}`, String(point));
    const answer = { rows: rows.map((row) => String(row['r'])).sort(), count: Number(counted?.['n']) };
    return [point, answer] as const;
  });
  return new Map(answers);
}

/** The rows of a query as `lake sql` gives them. */
export async function lakeSql(
  lake: Lake,
  sql: string,
  asOf?: string,
): Promise<Readonly<Record<string, unknown>>[]> {
  const engine = await openQueryEngine(lake, sql, asOf);
  try {
    return await engine.all(sql);
  } finally {
    await engine.close();
  }
}
