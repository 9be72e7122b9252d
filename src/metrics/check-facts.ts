import { checksOf } from '../pipeline/checks.ts';
import type { Model } from '../pipeline/model.ts';
import { changesRule } from '../pipeline/result-sql.ts';
import { scd2Of } from '../pipeline/scd2.ts';

/** How a check ended when it was run last, as `lake_system.checks` has it. */
export interface LastCheck {
  readonly model: string;
  readonly check: string;
  readonly rule: string;
  readonly severity: string;
  readonly isFailing: boolean;
}

/** Checks of a model that failed when they were run last. */
export interface FailingChecks {
  readonly model: string;
  readonly severity: string;
  readonly failing: number;
}

/** Checks that the models' files have, as `checkKey` names them; null where no model is known, and so not which of the checks still stand. */
export type StandingChecks = ReadonlySet<string> | null;

/** The checks of the models as their files are. Pure. @throws LakeError `invalid-file` for a max_age that is no duration */
export function standingChecks(models: readonly Model[]): StandingChecks {
  if (models.length === 0) return null;
  const keys = new Set<string>();
  for (const model of models) {
    for (const { kind, rule } of checksOf(model, 0)) keys.add(checkKey(model.id, kind, rule));
    const scd2 = scd2Of(model);
    if (scd2 !== null && scd2.orderBy.length === 0)
      keys.add(checkKey(model.id, 'scd2_intervals', changesRule(scd2)));
  }
  return keys;
}

function checkKey(model: string, check: string, rule: string): string {
  return JSON.stringify([model, check, rule]);
}

/**
 * Counts what fails by model and severity, also where that is 0. A check that its model's file has no more, or has otherwise by now, says nothing any longer. Pure.
 *
 * @param last the last result of each check
 */
export function failingChecks(last: readonly LastCheck[], standing: StandingChecks): FailingChecks[] {
  const counts = new Map<string, FailingChecks>();
  for (const { model, check, rule, severity, isFailing } of last) {
    if (standing !== null && !standing.has(checkKey(model, check, rule))) continue;
    const key = JSON.stringify([model, severity]);
    const failing = (counts.get(key)?.failing ?? 0) + Number(isFailing);
    counts.set(key, { model, severity, failing });
  }
  return [...counts.values()];
}
