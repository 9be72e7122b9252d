import { quoteName, quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { addDuration, parseDuration } from '../policy/duration.ts';
import { literal } from './literal.ts';
import type { Model } from './model.ts';
import type { ColumnCheck, TableCheck } from './model-file.ts';
import { type Scd2, scd2Of } from './scd2.ts';

export type CheckKind =
  | 'not_null'
  | 'unique'
  | 'accepted_range'
  | 'accepted_values'
  | 'relationships'
  | 'row_count_ratio'
  | 'freshness'
  | 'scd2_intervals'
  | 'scd2_current';

/** `warn` is told and recorded, and stops nothing. */
export type Severity = 'error' | 'warn';

/** One data quality check of a model. */
export interface Check {
  readonly model: string;
  readonly kind: CheckKind;
  readonly severity: Severity;
  readonly columns: readonly string[];
  /** The rule in words: `delay between -1440 and 2880`. */
  readonly rule: string;
  /** A SELECT of the offending rows (or key values) FROM the table `checked`. */
  readonly offenders: string;
  /** The other table that it reads, as `layer.name`. */
  readonly reads?: { readonly table: string; readonly columns: readonly string[] };
}

export interface CheckResult {
  readonly model: string;
  readonly kind: CheckKind;
  readonly severity: Severity;
  readonly rule: string;
  readonly passed: boolean;
  /** Offending rows; of `unique`, key values that occur more than once. */
  readonly failures: number;
  /** Up to three of them. */
  readonly samples: readonly unknown[];
}

/** The name that `Check.offenders` reads. */
export const CHECKED_NAME = 'checked';

/**
 * All checks of a model: its key (unique and not null), its history's, its columns', its table's; each once.
 *
 * @param nowMs the policy's clock, ms since 1970: what `freshness` counts from
 * @throws LakeError `invalid-file` for a max_age that is no duration
 */
export function checksOf(model: Model, nowMs: number): Check[] {
  const { key, columns = [], checks = [] } = model.file;
  const history = scd2Of(model);
  const all: Check[] = [];
  if (history !== null) all.push(...historyChecks(model.id, history));
  else if (key !== undefined) {
    all.push(unique(model.id, key), ...key.map((name) => notNull(model.id, name)));
  }
  for (const column of columns) {
    for (const check of column.checks ?? []) all.push(columnCheck(model, column.name, check, nowMs));
  }
  for (const check of checks) all.push(...tableChecks(model.id, check));
  return [...new Map(all.map((check) => [`${check.kind} ${check.rule}`, check])).values()];
}

function columnCheck(model: Model, column: string, check: ColumnCheck, nowMs: number): Check {
  if (check === 'not_null') return notNull(model.id, column);
  if (check === 'unique') return unique(model.id, [column]);
  const with_ = (made: Check): Check => ({ ...made, severity: check.severity ?? 'error' });
  if ('not_null' in check) return with_(notNull(model.id, column));
  if ('unique' in check) return with_(unique(model.id, [column]));
  if ('accepted_values' in check) return with_(acceptedValues(model.id, column, check.accepted_values));
  if ('accepted_range' in check) return with_(acceptedRange(model.id, column, check.accepted_range));
  if ('relationships' in check) return with_(relationship(model.id, column, check.relationships));
  return with_(freshness(model, column, check.freshness.max_age, nowMs));
}

function tableChecks(model: string, check: TableCheck): Check[] {
  const made =
    'unique' in check
      ? [unique(model, check.unique)]
      : 'not_null' in check
        ? check.not_null.map((name) => notNull(model, name))
        : [rowCountRatio(model, check.row_count_ratio)];
  return made.map((one) => ({ ...one, severity: check.severity ?? 'error' }));
}

/** What holds for every type 2 dimension: DESIGN 6 and `scd2Sql` say how it is made, these prove it. */
function historyChecks(model: string, scd2: Scd2): Check[] {
  const q = quoteName;
  const key = scd2.key.map(q).join(', ');
  const [from, to, current] = [q(scd2.effectiveFrom), q(scd2.effectiveTo), q(scd2.isCurrent)];
  const next = `lead(${from}) OVER (PARTITION BY ${key} ORDER BY ${from})`;
  // A key that was deleted leaves a gap, and no current row.
  const gap =
    scd2.deleted === null
      ? `${to} IS DISTINCT FROM ${next}`
      : `${next} < ${to} OR (${to} IS NULL AND ${next} IS NOT NULL)`;
  const currents = `count(*) FILTER (WHERE ${current})`;
  const few = scd2.deleted === null ? `${currents} <> 1` : `${currents} > 1`;
  const check = (kind: CheckKind, rule: string, offenders: string): Check => ({
    model,
    kind,
    severity: 'error',
    columns: scd2.key,
    rule,
    offenders,
  });
  return [
    unique(model, [scd2.surrogateKey]),
    unique(model, [...scd2.key, scd2.effectiveFrom]),
    ...[...scd2.key, scd2.effectiveFrom].map((name) => notNull(model, name)),
    check(
      'scd2_intervals',
      `no ${scd2.deleted === null ? 'gap or ' : ''}overlap between the versions of ${scd2.key.join(', ')}`,
      `SELECT * FROM ${CHECKED_NAME} QUALIFY ${to} <= ${from} OR ${gap}`,
    ),
    check(
      'scd2_current',
      `${scd2.deleted === null ? 'exactly' : 'at most'} one current version of ${scd2.key.join(', ')}`,
      `SELECT ${key}, ${currents} AS "count" FROM ${CHECKED_NAME} GROUP BY ${key} HAVING ${few}`,
    ),
  ];
}

const viewOf = (table: string): string => table.split('.').map(quoteName).join('.');

function relationship(
  model: string,
  column: string,
  { to, field }: { readonly to: string; readonly field: string },
): Check {
  const offenders =
    `SELECT c.* FROM ${CHECKED_NAME} AS c ANTI JOIN ${viewOf(to)} AS o ON o.${quoteName(field)} = c.${quoteName(column)} ` +
    `WHERE c.${quoteName(column)} IS NOT NULL`;
  return {
    model,
    kind: 'relationships',
    severity: 'error',
    columns: [column],
    rule: `${column} in ${to}.${field}`,
    offenders,
    reads: { table: to, columns: [field] },
  };
}

function rowCountRatio(
  model: string,
  {
    to,
    min,
    max,
  }: { readonly to: string; readonly min?: number | undefined; readonly max?: number | undefined },
): Check {
  // Without a row on either side there is nothing to compare; rows out of nothing are infinitely many.
  const ratio = "CASE WHEN o.n > 0 THEN c.n::DOUBLE / o.n WHEN c.n = 0 THEN NULL ELSE 'infinity'::DOUBLE END";
  const outside = [
    ...(min === undefined ? [] : [`ratio < ${min}`]),
    ...(max === undefined ? [] : [`ratio > ${max}`]),
  ];
  const offenders =
    `SELECT * FROM (SELECT c.n AS "rows", o.n AS "other_rows", ${ratio} AS ratio FROM (SELECT count(*) AS n FROM ${CHECKED_NAME}) AS c, ` +
    `(SELECT count(*) AS n FROM ${viewOf(to)}) AS o) WHERE ${outside.join(' OR ')}`;
  const rule = `rows / rows of ${to} ${bounds(min, max)}`;
  const reads = { table: to, columns: [] };
  return { model, kind: 'row_count_ratio', severity: 'error', columns: [], rule, offenders, reads };
}

function freshness(model: Model, column: string, maxAge: string, nowMs: number): Check {
  const name = quoteName(column);
  const oldest = quoteText(new Date(before(model, column, maxAge, nowMs)).toISOString());
  const newest = `max(CAST(${name} AS TIMESTAMPTZ))`;
  const offenders =
    `SELECT ${newest} AS newest, CAST(${oldest} AS TIMESTAMPTZ) AS oldest_allowed FROM ${CHECKED_NAME} ` +
    `HAVING ${newest} IS NULL OR ${newest} < CAST(${oldest} AS TIMESTAMPTZ)`;
  const rule = `newest ${column} at most ${maxAge} old`;
  return { model: model.id, kind: 'freshness', severity: 'error', columns: [column], rule, offenders };
}

/** The instant so long before `nowMs`, by the calendar. */
function before(model: Model, column: string, text: string, nowMs: number): number {
  try {
    const { months, ms } = parseDuration(text);
    return addDuration(nowMs, { months: -months, ms: -ms });
  } catch (cause) {
    throw new LakeError('invalid-file', `${model.id}: the max_age of ${column}: "${text}" is no duration`, {
      where: model.sqlFile.replace(/\.sql$/, '.yml'),
      hint: 'write for example 24h, 7d or 3mo',
      cause,
    });
  }
}

function bounds(min: number | string | undefined, max: number | string | undefined): string {
  if (min === undefined) return `<= ${max}`;
  return max === undefined ? `>= ${min}` : `between ${min} and ${max}`;
}

function notNull(model: string, column: string): Check {
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${quoteName(column)} IS NULL`;
  return {
    model,
    kind: 'not_null',
    severity: 'error',
    columns: [column],
    rule: `${column} is not null`,
    offenders,
  };
}

function unique(model: string, columns: readonly string[]): Check {
  const list = columns.map(quoteName).join(', ');
  const known = columns.map((name) => `${quoteName(name)} IS NOT NULL`).join(' AND ');
  const offenders =
    `SELECT ${list}, count(*) AS "count" FROM ${CHECKED_NAME} WHERE ${known} ` +
    `GROUP BY ${list} HAVING count(*) > 1`;
  return {
    model,
    kind: 'unique',
    severity: 'error',
    columns,
    rule: `${columns.join(', ')} is unique`,
    offenders,
  };
}

function acceptedValues(
  model: string,
  column: string,
  values: readonly (string | number | boolean)[],
): Check {
  const name = quoteName(column);
  const list = values.map(literal).join(', ');
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${name} IS NOT NULL AND ${name} NOT IN (${list})`;
  return {
    model,
    kind: 'accepted_values',
    severity: 'error',
    columns: [column],
    rule: `${column} in (${list})`,
    offenders,
  };
}

function acceptedRange(
  model: string,
  column: string,
  range: { min?: number | string | undefined; max?: number | string | undefined },
): Check {
  const name = quoteName(column);
  const outside = [
    ...(range.min === undefined ? [] : [`${name} < ${literal(range.min)}`]),
    ...(range.max === undefined ? [] : [`${name} > ${literal(range.max)}`]),
  ];
  const rule = `${column} ${bounds(range.min, range.max)}`;
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${outside.join(' OR ')}`;
  return { model, kind: 'accepted_range', severity: 'error', columns: [column], rule, offenders };
}
