import type { DuckDbEngine } from '../engine/duckdb.ts';
import { createTableView } from '../engine/iceberg-view.ts';
import { openLakeEngine } from '../project/lake-engine.ts';
import type { Lake } from '../project/open-lake.ts';
import { planScan } from '../table/scan.ts';
import { openTable } from '../table/table.ts';
import type { LastCheck } from './check-facts.ts';

/** Runs of one command that ended in one way. */
export interface RunSums {
  readonly command: string;
  readonly status: string;
  readonly runs: number;
  readonly rows: number;
  readonly seconds: number;
  /** When the last of them ended, seconds since 1970, and how long it took. */
  readonly lastEnded: number;
  readonly lastSeconds: number;
}

/** What `lake_system` has recorded of `lake run` and `lake test`. */
export interface RunFacts {
  readonly runs: readonly RunSums[];
  /** The last result of each check that was ever run. */
  readonly checks: readonly LastCheck[];
}

export const NO_RUNS: RunFacts = { runs: [], checks: [] };

const RUNS = `SELECT command, status, count(*) AS runs, sum("rows") AS "rows",
  sum(epoch(ended_at) - epoch(started_at)) AS seconds, epoch(max(ended_at)) AS last_ended,
  arg_max(epoch(ended_at) - epoch(started_at), ended_at) AS last_seconds
  FROM runs GROUP BY ALL`;

// A run checks some models alone, and of others only what compares them with what it changed: each check has a last result of its own.
const CHECKS = `SELECT model, "check", rule, severity, status FROM checks
  QUALIFY row_number() OVER (PARTITION BY model, "check", rule ORDER BY started_at DESC, status = 'passed') = 1`;

/**
 * Sums up the record of runs. Errors: those of the catalog, the store and the engine.
 *
 * @param there which of the two tables exist
 */
export async function readRunFacts(
  lake: Lake,
  there: { readonly runs: boolean; readonly checks: boolean },
): Promise<RunFacts> {
  if (!there.runs && !there.checks) return NO_RUNS;
  const engine = await openLakeEngine(lake);
  try {
    return {
      runs: there.runs ? (await rowsOf(lake, engine, 'runs', RUNS)).map(runSums) : [],
      checks: there.checks ? (await rowsOf(lake, engine, 'checks', CHECKS)).map(lastCheck) : [],
    };
  } finally {
    await engine.close();
  }
}

type Cells = Readonly<Record<string, unknown>>;

async function rowsOf(lake: Lake, engine: DuckDbEngine, name: string, sql: string): Promise<Cells[]> {
  const table = await openTable(lake, { namespace: ['lake_system'], name });
  await createTableView(engine, name, await planScan(table));
  return engine.all(sql);
}

function runSums(row: Cells): RunSums {
  return {
    command: String(row['command']),
    status: String(row['status']),
    runs: Number(row['runs']),
    rows: Number(row['rows']),
    seconds: Number(row['seconds']),
    lastEnded: Number(row['last_ended']),
    lastSeconds: Number(row['last_seconds']),
  };
}

function lastCheck(row: Cells): LastCheck {
  return {
    model: String(row['model']),
    check: String(row['check']),
    rule: String(row['rule']),
    severity: String(row['severity']),
    isFailing: row['status'] !== 'passed',
  };
}
