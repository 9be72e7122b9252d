import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView } from '../engine/iceberg-view.ts';
import { viewName } from '../engine/sql-text.ts';
import type { Lake } from '../project/open-lake.ts';
import { planScan, type ScanOptions, type TableScan } from '../table/scan.ts';
import { openTable, parseTableName, type Table } from '../table/table.ts';
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
  readonly fullRefresh: boolean;
}

/** Makes the view `layer.name` of a table as this run sees it: its own result, else main. Returns its version. */
export async function viewInput(context: RunContext, id: string): Promise<string> {
  const staged = context.staged.get(id);
  const table = staged?.table ?? (await openTable(context.lake, parseTableName(id)));
  const onBranch = staged !== undefined && staged.head !== null;
  const scan = await viewTable(context, table, onBranch ? { ref: context.branch } : {});
  return tableVersion(scan.metadata, scan.snapshot);
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
