import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView } from '../engine/iceberg-view.ts';
import { viewName } from '../engine/sql-text.ts';
import { openLakeEngine } from '../project/lake-engine.ts';
import type { Lake } from '../project/open-lake.ts';
import { planScan } from '../table/scan.ts';
import { findTable } from './find-table.ts';
import { scanPoint } from './scan-point.ts';

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
 * An engine in which every table that the query names is a view of its Iceberg table.
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
    for (const name of await engine.tableNames(query)) {
      const table = await findTable(lake, unquoted(name));
      await createTableView(
        engine,
        viewName(table.identifier),
        await planScan(table, scanPoint(table, asOf)),
      );
    }
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}
