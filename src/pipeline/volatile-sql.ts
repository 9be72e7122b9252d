import type { DuckDbEngine } from '../engine/duckdb.ts';
import { quoteText } from '../engine/sql-text.ts';

/** Functions that answer otherwise at another time or in another session. DuckDB itself calls some of them consistent. */
export const VOLATILE_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['now', 'today', 'ago', 'current_date', 'current_time', 'current_timestamp', 'current_localtime'],
  ...['current_localtimestamp', 'localtime', 'localtimestamp', 'get_current_time', 'get_current_timestamp'],
  ...['transaction_timestamp', 'pg_conf_load_time', 'pg_postmaster_start_time'],
  ...['random', 'setseed', 'uuid', 'uuidv4', 'uuidv7', 'gen_random_uuid', 'nextval', 'currval'],
  ...['txid_current', 'current_transaction_id', 'current_query_id', 'current_connection_id', 'current_query'],
  ...['getenv', 'getvariable', 'stats'],
]);

/** Those that SQL writes without parentheses: DuckDB's parser takes them for columns. */
const KEYWORDS = /^(current_(date|time|timestamp)|localtime|localtimestamp)$/;

/** Table functions that depend on their arguments alone; all others read files, settings or the like. */
const PURE_TABLE_FUNCTIONS = new Set([
  ...['range', 'generate_series', 'unnest', 'repeat', 'repeat_row', 'json_each', 'json_tree'],
]);

/**
 * True for a query whose result may be another one on the same input tables: it reads the time, chance, a sample or
 * something outside of them. Told by the query as DuckDB parses it; a column that is named like such a keyword counts too, which
 * costs a comparison and no more.
 *
 * @throws LakeError `usage` for what does not parse
 */
export async function isVolatile(engine: DuckDbEngine, sql: string): Promise<boolean> {
  const [row] = await engine.raw(`SELECT CAST(json_serialize_sql(${quoteText(sql)}) AS VARCHAR) AS q`);
  return hasVolatile(JSON.parse(String(row?.['q'])));
}

function hasVolatile(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(hasVolatile);
  if (!isNode(node)) return false;
  return isVolatileNode(node) || Object.values(node).some(hasVolatile);
}

function isVolatileNode({ type, sample, children, ...node }: Readonly<Record<string, unknown>>): boolean {
  const name = String(node['function_name'] ?? '').toLowerCase();
  if (isNode(sample)) return true;
  if (type === 'TABLE_FUNCTION') {
    const called = isNode(node['function']) ? String(node['function']['function_name']).toLowerCase() : '';
    return !PURE_TABLE_FUNCTIONS.has(called);
  }
  if (type === 'COLUMN_REF') {
    const names = node['column_names'];
    return Array.isArray(names) && names.length === 1 && KEYWORDS.test(String(names[0]).toLowerCase());
  }
  // age(t) counts from today, age(t, u) from u.
  return VOLATILE_FUNCTIONS.has(name) || (name === 'age' && Array.isArray(children) && children.length === 1);
}

const isNode = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
