import type { DuckDbEngine } from '../engine/duckdb.ts';
import { queryNeeds } from '../engine/query-needs.ts';
import { createQueryViews } from '../engine/query-views.ts';
import { viewName } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { openLakeEngine } from '../project/lake-engine.ts';
import type { Lake } from '../project/open-lake.ts';
import { planScan, scanTarget } from '../table/scan.ts';
import { findTable } from './find-table.ts';
import { scanPoint } from './scan-point.ts';

const OPENED_AT_ONCE = 4;

/** An engine with the project's limits. Close it. */
export function openEngine(lake: Lake): Promise<DuckDbEngine> {
  return openLakeEngine(lake);
}

/** `"a"."b c"` or `a.b` as plain names joined by dots. */
function unquoted(name: string): string {
  const parts = [...name.matchAll(/"((?:[^"]|"")*)"|[^".]+/g)];
  return parts.map((part) => part[1]?.replaceAll('""', '"') ?? part[0]).join('.');
}

/**
 * An engine in which every table that the query names is a view of what the query needs of its Iceberg table: answers to this query are right, to others they are not.
 *
 * @param asOf a snapshot id, time, branch or tag that holds for all of the tables
 * @throws LakeError `usage` for SQL that does not parse, `not-found` for a table or snapshot, with the nearest name
 */
export async function openQueryEngine(
  lake: Lake,
  query: string,
  asOf: string | undefined,
): Promise<DuckDbEngine> {
  const engine = await openEngine(lake);
  try {
    const tables = await inParallel(await engine.tableNames(query), OPENED_AT_ONCE, async (name) => {
      const table = await findTable(lake, unquoted(name));
      const point = scanPoint(table, asOf);
      return { table, point, schema: scanTarget(table.metadata, point).schema };
    });
    refuseAlike(tables.map(({ table }) => viewName(table.identifier)));
    const needs = await queryNeeds(
      query,
      tables.map(({ table, schema }) => ({ identifier: table.identifier, schema })),
    );
    const views = await inParallel([...tables.entries()], OPENED_AT_ONCE, async ([i, { table, point }]) => {
      const need = needs[i];
      const scan = await planScan(table, need === undefined ? point : { ...point, filter: need.filter });
      return { name: viewName(table.identifier), scan, need };
    });
    await createQueryViews(engine, query, views);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** The engine does not tell letters' case apart: one of two such tables would be read for both. Errors: `unsupported`. */
function refuseAlike(names: readonly string[]): void {
  const known = new Map<string, string>();
  for (const name of names) {
    const other = known.get(name.toLowerCase()) ?? name;
    known.set(name.toLowerCase(), name);
    if (other === name) continue;
    throw new LakeError('unsupported', `The query names ${other} and ${name}, which differ by case alone`, {
      hint: 'The embedded engine cannot tell them apart: ask each in a query of its own, or rename one.',
    });
  }
}
