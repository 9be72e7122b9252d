import type { TableScan } from '../table/scan.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { createTableView, LEFT_OUT_MARK } from './iceberg-view.ts';
import type { TableNeed } from './query-plan.ts';

/** A table of a query. */
export interface QueryView {
  /** Quoted, as `viewName` gives it. */
  readonly name: string;
  /** May be planned with the need's filter. */
  readonly scan: TableScan;
  readonly need: TableNeed | undefined;
}

/**
 * Makes the views that one query reads, each of what the query needs of its table. Where DuckDB's plan over them reads a column that a need leaves out all the same, all columns are
 * read. Errors: as `createTableView`.
 */
export async function createQueryViews(
  engine: DuckDbEngine,
  query: string,
  views: readonly QueryView[],
): Promise<void> {
  for (const { name, scan, need } of views) {
    await createTableView(engine, name, scan, need === undefined ? {} : { need });
  }
  const pruned = views.filter(({ need }) => need !== undefined);
  if (pruned.length === 0 || !(await readsLeftOut(engine, query))) return;
  for (const { name, scan, need } of pruned) {
    const columns = new Set(scan.schema.fields.map((field) => field.id));
    if (need) await createTableView(engine, name, scan, { need: { ...need, columns } });
  }
}

async function readsLeftOut(engine: DuckDbEngine, query: string): Promise<boolean> {
  try {
    const plan = await engine.all(`EXPLAIN (FORMAT json) ${query}`);
    return JSON.stringify(plan).includes(LEFT_OUT_MARK);
  } catch {
    // What is wrong with the query it says itself when it is run.
    return false;
  }
}
