import type { DuckDbEngine } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { quoteText } from '../engine/sql-text.ts';
import { transformSql } from '../engine/transform-sql.ts';
import { type SelectRequest, sourceColumn } from './select-columns.ts';

/** Numbers the partition of null: beyond all that the transforms give, which are 32-bit. */
export const NULL_NUMBER = 2 ** 32;

/** Operators that pass rows on as they come, and know the bounds of columns. */
const STREAMING = new Set(['PROJECTION', 'FILTER', 'READ_PARQUET', 'SEQ_SCAN']);

const TRANSFORMS: readonly string[] = ['year', 'month', 'day', 'hour'];

/**
 * SQL of the partition's number of a row (what its transform gives, `NULL_NUMBER` for null) where the rows are known to fall into few partitions by time,
 * before the query runs: from the statistics that the engine's planner has of the column. Null where they are more than `most`, the planner does
 * not know, or the files are to be sorted. A wrong bound would cost speed and make small files, no row.
 */
export async function fewTimePartitions(
  engine: DuckDbEngine,
  { schema, spec, sort }: SelectRequest,
  select: string,
  most: number,
): Promise<string | null> {
  const [field, ...others] = spec.fields;
  if (field === undefined || others.length > 0 || sort !== undefined) return null;
  if (!TRANSFORMS.includes(field.transform)) return null;
  if (!(await givesFirstRowAtOnce(engine, select))) return null;
  const { type, sql } = sourceColumn(schema, field['source-id']);
  const [row] = await engine.all(`SELECT stats(${sql}) AS stats FROM (${select}) LIMIT 1`);
  const bounds = /^\[Min: (\d.*?), Max: (\d.*?)\]/.exec(String(row?.['stats']));
  if (bounds === null) return null;
  const number = (text: string): string =>
    transformSql(field.transform, type, `TRY_CAST(${quoteText(text)} AS ${duckDbType(type)})`);
  // Statistics of no row at all have bounds beyond 32 bits.
  const wide = (text: string): string => `CAST(${number(text)} AS DOUBLE)`;
  const [found] = await engine.all(`SELECT ${wide(bounds[2]!)} - ${wide(bounds[1]!)} AS span`);
  const span = found?.['span'];
  // Both ends, and null.
  if (typeof span !== 'number' || span + 2 > most) return null;
  return `coalesce(CAST(${transformSql(field.transform, type, sql)} AS BIGINT), ${NULL_NUMBER})`;
}

/** True if a row of the query costs next to nothing: the planner tells its statistics only to a query that runs. */
async function givesFirstRowAtOnce(engine: DuckDbEngine, select: string): Promise<boolean> {
  const [row] = await engine.all(`EXPLAIN (FORMAT json) ${select}`);
  const plan: unknown = JSON.parse(String(row?.['explain_value']));
  return Array.isArray(plan) && plan.every(isStreaming);
}

function isStreaming(operator: unknown): boolean {
  if (typeof operator !== 'object' || operator === null) return false;
  if (!('name' in operator) || !('children' in operator)) return false;
  const { name, children } = operator;
  return STREAMING.has(String(name).trim()) && Array.isArray(children) && children.every(isStreaming);
}
