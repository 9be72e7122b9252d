import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { parseJson } from '../iceberg/json.ts';
import type { Schema } from '../iceberg/schema.ts';
import { duckDbType } from './duckdb-types.ts';
import { isNode } from './plan-expression.ts';
import { planName, type TableNeed, tableNeeds } from './query-plan.ts';
import { quoteName, quoteText, viewName } from './sql-text.ts';

export type { TableNeed } from './query-plan.ts';

/** A table of a query, as the query sees it. */
export interface QueriedTable {
  readonly identifier: TableIdentifier;
  readonly schema: Schema;
}

/** What looks at the data (an empty stand-in tells nothing of the real one), at rows' places, or at how much is wanted: a plan without it holds for any data. */
const LEFT_OUT = [
  'build_side_probe_side',
  'common_subplan',
  'compressed_materialization',
  'extension',
  'in_clause',
  'join_elimination',
  'join_filter_pushdown',
  'join_order',
  'late_materialization',
  'limit_pushdown',
  'row_group_pruner',
  'sampling_pushdown',
  'statistics_propagation',
  'top_n',
  'top_n_window_elimination',
  'window_self_join',
];

/** Functions whose values are others at another time or in another process although DuckDB calls them constant. */
export const INCONSTANT: readonly string[] = [
  'age',
  'current_localtime',
  'current_localtimestamp',
  'current_query',
  'current_setting',
  'getenv',
  'getvariable',
  'localtime',
  'localtimestamp',
];

/** DuckDB itself puts it into plans: it ends a query, and tells no value. */
const ENDS_THE_QUERY = 'error';

/**
 * What a query reads of its tables: DuckDB plans it over empty tables of the same columns, in an instance of its own, and the filters and columns that it puts into
 * each scan are taken from the plan. Whatever is not understood is left out, so that more is read.
 *
 * @returns a need for each table, in their order; undefined where all of the table is needed, or nothing is known
 */
export async function queryNeeds(
  query: string,
  tables: readonly QueriedTable[],
): Promise<(TableNeed | undefined)[]> {
  if (tables.length === 0) return [];
  try {
    const plan = await planned(query, tables);
    const keys = tables.map(({ identifier }) => planName(identifier.namespace.join('.'), identifier.name));
    const needs = tableNeeds(plan, new Map(keys.map((key, i) => [key, tables[i]!.schema])));
    return keys.map((key) => needs.get(key));
  } catch {
    // The query itself says what is wrong with it when it is run over all of its tables.
    return tables.map(() => undefined);
  }
}

/** The plan of a query; null where it cannot be taken for any data and any time. */
async function planned(query: string, tables: readonly QueriedTable[]): Promise<unknown> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  try {
    await connection.run(`SET TimeZone = 'UTC'; ${tables.map(standInSql).join('; ')}`);
    if (await isInconstant(connection, query)) return null;
    const plan = await optimised(connection, query, LEFT_OUT);
    // DuckDB 1.5 cannot write down a plan in which columns of a materialised CTE fall away: all columns then.
    return plan ?? (await optimised(connection, query, [...LEFT_OUT, 'unused_columns']));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function standInSql({ identifier, schema }: QueriedTable): string {
  const columns = schema.fields.map((field) => `${quoteName(field.name)} ${duckDbType(field.type)}`);
  return (
    `CREATE SCHEMA IF NOT EXISTS ${quoteName(identifier.namespace.join('.'))}; ` +
    `CREATE TABLE ${viewName(identifier)} (${columns.join(', ')})`
  );
}

async function optimised(
  connection: DuckDBConnection,
  query: string,
  leftOut: readonly string[],
): Promise<unknown> {
  await connection.run(`SET disabled_optimizers = ${quoteText(leftOut.join(','))}`);
  return serialized(connection, `json_serialize_plan(${quoteText(query)}, optimize := true)`);
}

async function serialized(connection: DuckDBConnection, call: string): Promise<unknown> {
  const rows = await (await connection.run(`SELECT ${call}`)).getRows();
  const found = parseJson(String(rows[0]?.[0]));
  return isNode(found) && found['error'] === false ? found : null;
}

/** True if a function of the query has another value at another time: DuckDB would put the one of planning into the plan. */
async function isInconstant(connection: DuckDBConnection, query: string): Promise<boolean> {
  const names = new Set<string>();
  for (const call of [
    `json_serialize_sql(${quoteText(query)})`,
    `json_serialize_plan(${quoteText(query)}, optimize := false)`,
  ]) {
    const found = await serialized(connection, call);
    if (found === null) return true;
    collectFunctions(found, names);
  }
  if (INCONSTANT.some((name) => names.has(name))) return true;
  names.delete(ENDS_THE_QUERY);
  const list = [...names].map(quoteText).join(', ');
  if (list === '') return false;
  const rows = await connection.run(
    'SELECT count(*) FROM duckdb_functions() ' +
      `WHERE lower(function_name) IN (${list}) AND stability IS NOT NULL AND stability <> 'CONSISTENT'`,
  );
  return (await rows.getRows())[0]?.[0] !== 0n;
}

function collectFunctions(node: unknown, names: Set<string>): void {
  if (Array.isArray(node)) for (const item of node) collectFunctions(item, names);
  if (!isNode(node)) return;
  if (typeof node['function_name'] === 'string') names.add(node['function_name'].toLowerCase());
  if (typeof node['name'] === 'string') names.add(node['name'].toLowerCase());
  for (const child of Object.values(node)) collectFunctions(child, names);
}
