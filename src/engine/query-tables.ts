import { quoteName } from './sql-text.ts';

interface Found {
  readonly tables: Map<string, readonly string[]>;
  readonly ctes: Set<string>;
}

const isObject = (node: unknown): node is Record<string, unknown> =>
  typeof node === 'object' && node !== null && !Array.isArray(node);

function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) for (const item of node) walk(item, found);
  if (!isObject(node)) return;
  if (node['type'] === 'BASE_TABLE') {
    const parts = [node['catalog_name'], node['schema_name'], node['table_name']]
      .map(String)
      .filter((part) => part !== '');
    found.tables.set(parts.map(quoteName).join('.'), parts);
  }
  const ctes = isObject(node['cte_map']) ? node['cte_map']['map'] : undefined;
  if (Array.isArray(ctes))
    for (const cte of ctes) if (isObject(cte)) found.ctes.add(String(cte['key']).toLowerCase());
  for (const child of Object.values(node)) walk(child, found);
}

/** The tables in a query as DuckDB's `json_serialize_sql` gives it, as quoted names (`"gold"."fct"`), in their order; those that are CTEs are left out. */
export function queryTables(serialized: unknown): string[] {
  const found: Found = { tables: new Map(), ctes: new Set() };
  walk(serialized, found);
  return [...found.tables]
    .filter(([, parts]) => parts.length > 1 || !found.ctes.has(parts[0]!.toLowerCase()))
    .map(([name]) => name);
}
