import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView } from '../engine/iceberg-view.ts';
import { viewName } from '../engine/sql-text.ts';
import type { Lake } from '../project/open-lake.ts';
import { planScan, type ScanOptions, type TableScan } from '../table/scan.ts';
import { openTable, parseTableName, type Table } from '../table/table.ts';
import type { TimeRange } from './backfill-range.ts';
import type { CheckResult } from './checks.ts';
import type { ModelGraph } from './graph.ts';
import { tableVersion } from './model-state.ts';

/** Says how far a run is: the name of what is being done, and steps done of all. */
export type RunProgress = (stage: string, done: number, total: number) => void;

/** A model's result that waits on the run's branch. */
export interface StagedModel {
  readonly table: Table;
  /** Main's snapshot that the result builds on. */
  readonly base: bigint | null;
  /** The branch's snapshot; null where no row changed, and only the state is to be remembered. */
  readonly head: bigint | null;
  /** Table properties to set with the publication. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What the steps of one run share. */
export interface RunContext {
  readonly lake: Lake;
  readonly engine: DuckDbEngine;
  readonly graph: ModelGraph;
  readonly runId: string;
  readonly branch: string;
  readonly staged: Map<string, StagedModel>;
  /**
   * The tables of main that this run reads, each as it was when it was first looked at: what was checked is what is
   * built on, whatever lands in the meantime.
   */
  readonly pinned: Map<string, Table>;
  readonly fullRefresh: boolean;
  /** Only partitions that it touches are built; null: all. */
  readonly range: TimeRange | null;
  /** The policy's clock, ms since 1970: what freshness counts from. */
  readonly policyNow: number;
  /** Every check that has run so far, failed ones too. */
  readonly checks: CheckResult[];
  /** Source files that the user says have landed (or have not), where the table cannot tell any more. */
  readonly assumeLanded: ReadonlySet<string>;
  readonly landAgain: ReadonlySet<string>;
}

/**
 * Makes the view `layer.name` of a table as this run sees it: its own result, else main as it was when the run first
 * looked at it. Returns its version.
 */
export async function viewInput(context: RunContext, id: string): Promise<string> {
  const staged = context.staged.get(id);
  const onBranch = staged !== undefined && staged.head !== null;
  const table = staged?.table ?? (await pinnedTable(context, id));
  const scan = await viewTable(context, table, onBranch ? { ref: context.branch } : {});
  return tableVersion(scan.metadata, scan.snapshot);
}

/** The table as this run first saw it. It must not be refreshed. */
async function pinnedTable(context: RunContext, id: string): Promise<Table> {
  const known = context.pinned.get(id);
  if (known !== undefined) return known;
  const table = await openTable(context.lake, parseTableName(id));
  context.pinned.set(id, table);
  return table;
}

/** Makes the view `layer.name` of a table's snapshot. */
export async function viewTable(
  context: { readonly engine: DuckDbEngine },
  table: Table,
  at: ScanOptions,
): Promise<TableScan> {
  const scan = await planScan(table, at);
  await createTableView(context.engine, viewName(table.identifier), scan);
  return scan;
}
