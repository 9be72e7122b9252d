import { timeRange } from '../iceberg/transforms.ts';
import { decodeValue } from '../iceberg/value-binary.ts';
import type { Model } from '../pipeline/model.ts';
import { ageColumn } from '../policy/column-age.ts';
import { addDuration, parseDuration } from '../policy/duration.ts';
import { instantMs } from '../policy/zoned-time.ts';
import type { LiveFile } from '../tiering/table-history.ts';

/** A `freshness` check of a model: how old the newest value of a column may be. */
export interface FreshnessRule {
  readonly column: string;
  /** As the model's yml has it. */
  readonly maxAge: string;
}

/** The freshness checks of models, by the table that each fills. Pure. */
export function freshnessRules(models: readonly Model[]): ReadonlyMap<string, readonly FreshnessRule[]> {
  return new Map(
    models.map(({ id, file }) => {
      const rules = (file.columns ?? []).flatMap(({ name: column, checks = [] }) =>
        checks.flatMap((check) =>
          typeof check === 'object' && 'freshness' in check
            ? [{ column, maxAge: check.freshness.max_age }]
            : [],
        ),
      );
      return [id, rules];
    }),
  );
}

/** How long before `nowMs` the newest value may lie, ms. @throws LakeError `invalid-argument` for what is no duration */
export function maxAgeMs({ maxAge }: FreshnessRule, nowMs: number): number {
  const { months, ms } = parseDuration(maxAge);
  return nowMs - addDuration(nowMs, { months: -months, ms: -ms });
}

/**
 * The newest value of a column by the files' metrics, ms since 1970, zoneless times and dates read as UTC as the check reads them: no value of
 * a row is later. Null where no file has a bound, or the column is no time.
 */
export function newestMs(files: readonly LiveFile[], name: string): number | null {
  let newest: number | null = null;
  for (const { file, schema } of files) {
    const column = ageColumn(schema, name);
    const bound = 'why' in column ? undefined : file.upperBounds?.get(column.id);
    if ('why' in column || bound === undefined) continue;
    const range = timeRange({ kind: 'identity' }, column.type, decodeValue(column.type, bound));
    if (range === null) continue;
    newest = Math.max(newest ?? -Infinity, instantMs(range.startMicros, column.type, 'UTC'));
  }
  return newest;
}
