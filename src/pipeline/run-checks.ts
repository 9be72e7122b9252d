import type { DuckDbEngine } from '../engine/duckdb.ts';
import { quoteName } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';
import { CHECKED_NAME, type CheckResult, checksOf } from './checks.ts';
import type { Model } from './model.ts';

const SAMPLES = 3;

/**
 * Runs a model's checks on the view `layer.name`, which must be there.
 *
 * @throws LakeError `invalid-file` for a check on a column that the model does not give
 */
export async function checkModel(engine: DuckDbEngine, model: Model): Promise<CheckResult[]> {
  const checks = checksOf(model);
  if (checks.length === 0) return [];
  const view = model.id.split('.').map(quoteName).join('.');
  const columns = (await engine.describe(`SELECT * FROM ${view}`)).map(({ name }) => name);
  const results: CheckResult[] = [];
  for (const check of checks) {
    for (const column of check.columns) requireColumn(model, column, columns);
    const offenders = `WITH ${CHECKED_NAME} AS (SELECT * FROM ${view}) ${check.offenders}`;
    const [row] = await engine.all(`SELECT count(*) AS n FROM (${offenders})`);
    const failures = Number(row?.['n'] ?? 0);
    const samples = failures === 0 ? [] : await engine.all(`SELECT * FROM (${offenders}) LIMIT ${SAMPLES}`);
    const { kind, rule } = check;
    results.push({ model: model.id, kind, rule, passed: failures === 0, failures, samples });
  }
  return results;
}

function requireColumn(model: Model, column: string, columns: readonly string[]): void {
  if (columns.includes(column)) return;
  const near = nearestName(column, columns);
  throw new LakeError('invalid-file', `${model.id} has a check on "${column}", which its SQL does not give`, {
    where: model.sqlFile.replace(/\.sql$/, '.yml'),
    hint: near === null ? `its columns are ${columns.join(', ')}` : `did you mean "${near}"?`,
  });
}

/** @throws LakeError `check-failed` that names every failed check; returns if all passed */
export function throwFailedChecks(results: readonly CheckResult[], hint: string): void {
  const failed = results.filter((result) => !result.passed);
  const first = failed[0];
  if (first === undefined) return;
  const lines = failed.map(
    ({ model, kind, rule, failures }) =>
      `${model}: ${kind}: ${rule}: ${failures} ${failures === 1 ? 'offender' : 'offenders'}`,
  );
  const message = lines.length === 1 ? lines.join('') : `${lines.length} checks failed:\n${lines.join('\n')}`;
  throw new LakeError('check-failed', message, { where: first.model, hint, context: { checks: failed } });
}
