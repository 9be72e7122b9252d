import type { TableCommit, TableIdentifier } from '../catalog-client/catalog.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { isKind } from '../errors.ts';
import { buildPartitionSpec } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import { assignFreshIds } from '../iceberg/schema.ts';
import type { PrimitiveType } from '../iceberg/types.ts';
import type { LakeContext } from '../table/context.ts';
import { newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import { openTable, Table } from '../table/table.ts';
import { writeTableSelect } from '../table/write-table.ts';
import type { CheckResult } from './checks.ts';
import { ensureNamespace } from './model-table.ts';

const NAMESPACE = 'lake_system';

type Columns = readonly (readonly [name: string, type: PrimitiveType])[];

const RUNS: Columns = [
  ['run_id', 'string'],
  ['command', 'string'],
  ['started_at', 'timestamptz'],
  ['ended_at', 'timestamptz'],
  ['status', 'string'],
  ['models', 'int'],
  ['rows', 'long'],
  ['message', 'string'],
];

const CHECKS: Columns = [
  ['run_id', 'string'],
  ['started_at', 'timestamptz'],
  ['model', 'string'],
  ['check', 'string'],
  ['rule', 'string'],
  ['severity', 'string'],
  ['status', 'string'],
  ['failing', 'long'],
  ['message', 'string'],
];

/** A run (or a test) as it is recorded. */
export interface RunRecord {
  readonly runId: string;
  readonly command: 'run' | 'test';
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: 'published' | 'tested' | 'failed';
  /** Models that were written. */
  readonly models: number;
  readonly rows: number;
  /** Why it failed. */
  readonly message: string | null;
  readonly checks: readonly CheckResult[];
}

const ATTEMPTS = 8;

/**
 * Appends a run and its checks to `lake_system.runs` and `lake_system.checks`, in one commit of both. The tables are
 * made where they are missing, with a partition a month. Errors: those of the catalog and the store; `conflict` when other
 * recorders came first too often. Nothing of the run depends on it.
 */
export async function recordRun(context: LakeContext, engine: DuckDbEngine, run: RunRecord): Promise<void> {
  const started = timestamp(run.startedMs);
  const runRow = [
    quoteText(run.runId),
    quoteText(run.command),
    started,
    timestamp(run.endedMs),
    quoteText(run.status),
    String(run.models),
    String(run.rows),
    run.message === null ? 'NULL' : quoteText(run.message),
  ];
  const checkRows = run.checks.map((check) => [quoteText(run.runId), started, ...checkValues(check)]);
  const parts = [await logTable(context, 'runs', RUNS, engine, [runRow])];
  if (checkRows.length > 0) parts.push(await logTable(context, 'checks', CHECKS, engine, checkRows));
  await commitTogether(context, parts);
}

function checkValues(check: CheckResult): string[] {
  const { model, kind, rule, severity, passed, failures, samples } = check;
  const status = passed ? 'passed' : severity === 'warn' ? 'warned' : 'failed';
  const message = passed ? 'NULL' : quoteText(JSON.stringify(samples));
  return [...[model, kind, rule, severity, status].map(quoteText), String(failures), message];
}

const timestamp = (ms: number): string => `make_timestamptz(${Math.trunc(ms) * 1000})`;

interface LogPart {
  readonly identifier: TableIdentifier;
  readonly added: Awaited<ReturnType<typeof writeTableSelect>>;
  readonly change: ReturnType<typeof newChange>;
}

async function logTable(
  context: LakeContext,
  name: string,
  columns: Columns,
  engine: DuckDbEngine,
  rows: readonly (readonly string[])[],
): Promise<LogPart> {
  const identifier = { namespace: [NAMESPACE], name };
  const table = await ensureLogTable(context, identifier, columns);
  const values = rows.map((row) => `(${row.join(', ')})`).join(', ');
  const names = columns.map(([column]) => quoteName(column)).join(', ');
  const casts = columns.map(
    ([column, type]) => `CAST(${quoteName(column)} AS ${duckDbType(type)}) AS ${quoteName(column)}`,
  );
  const added = await writeTableSelect(
    table,
    engine,
    `SELECT ${casts.join(', ')} FROM (VALUES ${values}) AS v(${names})`,
  );
  return { identifier, added, change: newChange(context.clock) };
}

async function ensureLogTable(
  context: LakeContext,
  identifier: TableIdentifier,
  columns: Columns,
): Promise<Table> {
  try {
    return await openTable(context, identifier);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
  await ensureNamespace(context, identifier.namespace);
  const schema = logSchema(columns);
  try {
    const loaded = await context.catalog.createTable(identifier.namespace, {
      name: identifier.name,
      schema,
      'partition-spec': buildPartitionSpec(schema, [{ source: 'started_at', transform: 'month' }]),
      properties: { 'lake.layer': 'system', comment: 'written by lake run and lake test' },
    });
    return new Table(context, loaded);
  } catch (error) {
    if (isKind(error, 'already-exists')) return openTable(context, identifier);
    throw error;
  }
}

function logSchema(columns: Columns): Schema {
  const fields = columns.map(([name, type], i) => ({ id: i + 1, name, required: false, type }));
  return assignFreshIds({ type: 'struct', 'schema-id': 0, fields }).schema;
}

/** One transaction; a conflict derives it anew from the new heads, an unknown outcome is looked up. */
async function commitTogether(context: LakeContext, parts: readonly LogPart[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const commits: TableCommit[] = [];
    for (const { identifier, added, change } of parts) {
      const table = await openTable(context, identifier);
      if (table.metadata.snapshots.some((snapshot) => snapshot['snapshot-id'] === change.snapshotId)) return;
      const { requirements, updates } = await stageSnapshot(table, change, { operation: 'append', added });
      commits.push({ identifier, requirements, updates });
    }
    try {
      return await context.catalog.commitTransaction(commits);
    } catch (error) {
      // After an unknown outcome the next attempt looks for the snapshot; the same id cannot be added twice.
      if (!isKind(error, 'conflict', 'unknown-outcome') || attempt === ATTEMPTS) throw error;
      await context.clock.sleep(50 * attempt * (0.5 + context.clock.random()));
    }
  }
}
