import type { DuckDbEngine } from '../engine/duckdb.ts';
import { quoteName } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { CHECKED_NAME, type Check, type CheckResult, checksOf } from './checks.ts';
import type { Model } from './model.ts';

const SAMPLES = 3;

/** Runs checks against the views of an engine. */
export interface Checking {
  readonly engine: DuckDbEngine;
  /** The policy's clock, ms since 1970. */
  readonly nowMs: number;
  /** Makes the view of another table that a check reads. */
  view(id: string): Promise<unknown>;
}

/** Checks of a model by itself, or those that compare it with another table (which must be built by then). */
export type CheckScope = 'alone' | 'with-others';

/**
 * Runs a model's checks on the view `layer.name`, which must be there.
 *
 * @param others only comparisons with these tables; all by default
 * @throws LakeError `invalid-file` for a check on a column that the model (or the other one) does not give
 */
export async function checkModel(
  checking: Checking,
  model: Model,
  scope: CheckScope,
  others?: ReadonlySet<string>,
): Promise<CheckResult[]> {
  const checks = checksOf(model, checking.nowMs).filter(({ reads }) =>
    reads === undefined ? scope === 'alone' : scope === 'with-others' && (others?.has(reads.table) ?? true),
  );
  if (checks.length === 0) return [];
  const columns = await columnsOf(checking.engine, model.id);
  const results: CheckResult[] = [];
  for (const check of checks) {
    for (const column of check.columns) requireColumn(model, model.id, column, columns);
    if (check.reads !== undefined) {
      const { table, columns: others } = check.reads;
      await checking.view(table);
      const known = await columnsOf(checking.engine, table);
      for (const column of others) requireColumn(model, table, column, known);
    }
    results.push(await runCheck(checking.engine, check));
  }
  return results;
}

const viewOf = (id: string): string => id.split('.').map(quoteName).join('.');

async function columnsOf(engine: DuckDbEngine, id: string): Promise<string[]> {
  return (await engine.describe(`SELECT * FROM ${viewOf(id)}`)).map(({ name }) => name);
}

async function runCheck(engine: DuckDbEngine, check: Check): Promise<CheckResult> {
  const { model, kind, severity, rule } = check;
  const found = await findOffenders(
    engine,
    `WITH ${CHECKED_NAME} AS (SELECT * FROM ${viewOf(model)}) ${check.offenders}`,
  );
  return { model, kind, severity, rule, passed: found.failures === 0, ...found };
}

/** Counts the rows of a query of offenders, and takes a few of them. */
export async function findOffenders(
  engine: DuckDbEngine,
  sql: string,
): Promise<Pick<CheckResult, 'failures' | 'samples'>> {
  const [row] = await engine.all(`SELECT count(*) AS n FROM (${sql})`);
  const failures = Number(row?.['n'] ?? 0);
  const samples = failures === 0 ? [] : await engine.all(`SELECT * FROM (${sql}) LIMIT ${SAMPLES}`);
  return { failures, samples };
}

function requireColumn(model: Model, table: string, column: string, columns: readonly string[]): void {
  if (columns.includes(column)) return;
  const near = nearestName(column, columns);
  const lacking = table === model.id ? 'which its SQL does not give' : `which ${table} does not have`;
  throw new LakeError('invalid-file', `${model.id} has a check on "${column}", ${lacking}`, {
    where: model.sqlFile.replace(/\.sql$/, '.yml'),
    hint: near === null ? `the columns are ${columns.join(', ')}` : `did you mean "${near}"?`,
  });
}

/** True for a failed check that stops a run. */
export const isFailed = (result: CheckResult): boolean => !result.passed && result.severity === 'error';

/** A failed check in one line, with one of its offenders. */
export function offence({ model, kind, rule, failures, samples }: CheckResult): string {
  const sample = samples[0] === undefined ? '' : `; for instance ${JSON.stringify(samples[0])}`;
  return `${model}: ${kind}: ${rule}: ${failures} ${failures === 1 ? 'offender' : 'offenders'}${sample}`;
}

/** @throws LakeError `check-failed` that names every failed check; returns if none failed (warnings may be left) */
export function throwFailedChecks(results: readonly CheckResult[], hint: string): void {
  const failed = results.filter(isFailed);
  const first = failed[0];
  if (first === undefined) return;
  const lines = failed.map(offence);
  const message = lines.length === 1 ? lines.join('') : `${lines.length} checks failed:\n${lines.join('\n')}`;
  throw new LakeError('check-failed', message, { where: first.model, hint, context: { checks: failed } });
}

/** @throws LakeError `invalid-file` for a check that compares a model with a table that no model fills */
export function refuseUnknownTables(models: readonly Model[]): void {
  const ids = models.map((model) => model.id);
  for (const model of models) {
    for (const { reads, kind } of checksOf(model, 0)) {
      if (reads === undefined || ids.includes(reads.table)) continue;
      const near = nearestName(reads.table, ids);
      throw new LakeError(
        'invalid-file',
        `${model.id} has a check ${kind} to "${reads.table}", which no model fills`,
        {
          where: model.sqlFile.replace(/\.sql$/, '.yml'),
          hint: near === null ? `the models are ${ids.join(', ')}` : `did you mean ${near}?`,
        },
      );
    }
  }
}
