import { quoteName } from '../engine/sql-text.ts';
import { literal } from './literal.ts';
import type { Model } from './model.ts';
import type { ColumnCheck } from './model-file.ts';

/** One data quality check of a model. */
export interface Check {
  readonly model: string;
  readonly kind: 'not_null' | 'unique' | 'accepted_range' | 'accepted_values';
  readonly columns: readonly string[];
  /** The rule in words: `delay between -1440 and 2880`. */
  readonly rule: string;
  /** A SELECT of the offending rows (or key values) FROM the table `checked`. */
  readonly offenders: string;
}

export interface CheckResult {
  readonly model: string;
  readonly kind: Check['kind'];
  readonly rule: string;
  readonly passed: boolean;
  /** Offending rows; of `unique`, key values that occur more than once. */
  readonly failures: number;
  /** Up to three of them. */
  readonly samples: readonly unknown[];
}

/** The name that `Check.offenders` reads. */
export const CHECKED_NAME = 'checked';

/** All checks of a model: its key (unique and not null), its columns', its table's; each once. */
export function checksOf(model: Model): Check[] {
  const { key, columns = [], checks = [] } = model.file;
  const all: Check[] = [];
  if (key !== undefined) all.push(unique(model.id, key), ...key.map((name) => notNull(model.id, name)));
  for (const column of columns) {
    for (const check of column.checks ?? []) all.push(columnCheck(model.id, column.name, check));
  }
  for (const check of checks) {
    if ('unique' in check) all.push(unique(model.id, check.unique));
    else all.push(...check.not_null.map((name) => notNull(model.id, name)));
  }
  return [...new Map(all.map((check) => [`${check.kind} ${check.rule}`, check])).values()];
}

function columnCheck(model: string, column: string, check: ColumnCheck): Check {
  if (check === 'not_null') return notNull(model, column);
  if (check === 'unique') return unique(model, [column]);
  if ('accepted_values' in check) return acceptedValues(model, column, check.accepted_values);
  return acceptedRange(model, column, check.accepted_range);
}

function notNull(model: string, column: string): Check {
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${quoteName(column)} IS NULL`;
  return { model, kind: 'not_null', columns: [column], rule: `${column} is not null`, offenders };
}

function unique(model: string, columns: readonly string[]): Check {
  const list = columns.map(quoteName).join(', ');
  const known = columns.map((name) => `${quoteName(name)} IS NOT NULL`).join(' AND ');
  const offenders =
    `SELECT ${list}, count(*) AS "count" FROM ${CHECKED_NAME} WHERE ${known} ` +
    `GROUP BY ${list} HAVING count(*) > 1`;
  return { model, kind: 'unique', columns, rule: `${columns.join(', ')} is unique`, offenders };
}

function acceptedValues(
  model: string,
  column: string,
  values: readonly (string | number | boolean)[],
): Check {
  const name = quoteName(column);
  const list = values.map(literal).join(', ');
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${name} IS NOT NULL AND ${name} NOT IN (${list})`;
  return { model, kind: 'accepted_values', columns: [column], rule: `${column} in (${list})`, offenders };
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
  const rule =
    range.min === undefined
      ? `${column} <= ${range.max}`
      : range.max === undefined
        ? `${column} >= ${range.min}`
        : `${column} between ${range.min} and ${range.max}`;
  const offenders = `SELECT * FROM ${CHECKED_NAME} WHERE ${outside.join(' OR ')}`;
  return { model, kind: 'accepted_range', columns: [column], rule, offenders };
}
