import type { DuckDbEngine } from '../engine/duckdb.ts';
import type { CheckResult } from './checks.ts';
import type { Model } from './model.ts';
import { findOffenders } from './run-checks.ts';
import { ambiguousChanges, checkColumns, type Scd2, scd2Of, scd2Sql } from './scd2.ts';

/** The SQL of what a model's table holds: its own, or the history made of its changes. */
export async function resultSql(engine: DuckDbEngine, model: Model): Promise<string> {
  const scd2 = scd2Of(model);
  return scd2 === null ? model.sql : scd2Sql(engine, model, scd2);
}

/** The rule of `checkChanges`, in words. */
export const changesRule = ({ key }: Scd2): string => `one change of ${key.join(', ')} at a time`;

/**
 * Checks what a history is made of: two changes of one key at one time leave it open which of them counts. Empty for
 * models without a history, and for those that say what counts (`order_by`).
 */
export async function checkChanges(engine: DuckDbEngine, model: Model): Promise<CheckResult[]> {
  const scd2 = scd2Of(model);
  if (scd2 === null) return [];
  const sql = ambiguousChanges(model, scd2, checkColumns(model, scd2, await engine.describe(model.sql)));
  if (sql === null) return [];
  const rule = changesRule(scd2);
  const found = await findOffenders(engine, sql);
  return [
    {
      model: model.id,
      kind: 'scd2_intervals',
      severity: 'error',
      rule,
      passed: found.failures === 0,
      ...found,
    },
  ];
}
