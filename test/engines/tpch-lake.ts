import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The tables' columns as TPC-H names them: Trino's generator leaves the prefix out. */
const TABLES: Readonly<Record<string, { readonly prefix: string; readonly columns: string }>> = {
  region: { prefix: 'r', columns: 'regionkey name comment' },
  nation: { prefix: 'n', columns: 'nationkey name regionkey comment' },
  supplier: { prefix: 's', columns: 'suppkey name address nationkey phone acctbal comment' },
  customer: { prefix: 'c', columns: 'custkey name address nationkey phone acctbal mktsegment comment' },
  part: { prefix: 'p', columns: 'partkey name mfgr brand type size container retailprice comment' },
  partsupp: { prefix: 'ps', columns: 'partkey suppkey availqty supplycost comment' },
  orders: {
    prefix: 'o',
    columns: 'orderkey custkey orderstatus totalprice orderdate orderpriority clerk shippriority comment',
  },
  lineitem: {
    prefix: 'l',
    columns:
      'orderkey partkey suppkey linenumber quantity extendedprice discount tax returnflag linestatus shipdate commitdate receiptdate shipinstruct shipmode comment',
  },
};

const PARTITIONS: Readonly<Record<string, string>> = {
  lineitem: " WITH (partitioning = ARRAY['month(l_shipdate)'])",
  orders: " WITH (partitioning = ARRAY['month(o_orderdate)'])",
};

const FOLDER = join(import.meta.dirname, '../../trino/tpch');

/** The queries of trino/tpch by their name, `q01` to `q22`, each one SELECT over plain table names. */
export function tpchQueries(): Map<string, string> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
  const text = (file: string) => readFileSync(join(FOLDER, file), 'utf8').replaceAll(/^--.*\n/gm, '');
  return new Map(files.sort().map((file) => [file.replace('.sql', ''), text(file).trim()]));
}

/** The SELECT that generates a table, e.g. of `tpch.sf1`. */
function generated(table: string, source: string): string {
  const { prefix = '', columns = '' } = TABLES[table] ?? {};
  const named = columns.split(' ').map((column) => `${column} AS ${prefix}_${column}`);
  return `SELECT ${named.join(', ')} FROM ${source}.${table}`;
}

/** The statements that make the tables of a schema (`lake.name`) from Trino's generator (`tpch.sf1`), by table. */
export function tpchTables(schema: string, source: string): Map<string, string> {
  return new Map(
    Object.keys(TABLES).map((table) => [
      table,
      `CREATE TABLE ${schema}.${table}${PARTITIONS[table] ?? ''} AS ${generated(table, source)}`,
    ]),
  );
}

/** A query on the tables of a schema. */
export const onTables = (query: string, schema: string): string =>
  withTables(query, (table) => `SELECT * FROM ${schema}.${table}`);

/** A query on what Trino's generator makes anew. */
export const onGenerated = (query: string, source: string): string =>
  withTables(query, (table) => generated(table, source));

/** The tables that a query names, put before it as CTEs. */
function withTables(query: string, select: (table: string) => string): string {
  const named = Object.keys(TABLES).filter((table) => new RegExp(`\\b${table}\\b`).test(query));
  const ctes = named.map((table) => `${table} AS (${select(table)})`).join(',\n');
  return /^WITH\s/i.test(query) ? query.replace(/^WITH\s/i, `WITH ${ctes},\n`) : `WITH ${ctes}\n${query}`;
}
