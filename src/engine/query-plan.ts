import type { Expression } from '../iceberg/expressions.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { NestedField } from '../iceberg/types.ts';
import { isNode, nodesOf, PlanExpressions, type PlanNode } from './plan-expression.ts';

/** What a query reads of a table. */
export interface TableNeed {
  /** Rows that do not meet it change nothing in the query's answer. */
  readonly filter: Expression;
  /** Field ids of the columns that it reads, nested ones as a whole. */
  readonly columns: ReadonlySet<number>;
}

/** The schema of a table by its name in the plan (`scannedTable`). */
export type PlannedTables = ReadonlyMap<string, Schema>;

/** A table's key: names do not differ by case alone in DuckDB. */
export const planName = (schema: string, table: string): string =>
  JSON.stringify([schema, table]).toLowerCase();

/**
 * What a plan reads of each table: the filters that stand right at its scans, or'ed over all of them.
 *
 * @param plan optimised, as `json_serialize_plan` gives it
 * @returns by `planName`; tables that it does not scan, or not in a form that is understood, are left out
 */
export function tableNeeds(plan: unknown, tables: PlannedTables): ReadonlyMap<string, TableNeed> {
  const scans: Scan[] = [];
  collectScans(plan, [], scans);
  const needs = new Map<string, TableNeed>();
  for (const [name, uses] of Map.groupBy(scans, ({ get }) => scannedTable(get))) {
    const schema = name === null ? undefined : tables.get(name);
    if (name === null || schema === undefined) continue;
    const all = uses.map((use) => scanNeed(use, schema));
    const known = all.filter((need) => need !== null);
    if (known.length < all.length) continue;
    needs.set(name, {
      filter:
        known.length === 1 ? known[0]!.filter : { kind: 'or', children: known.map((need) => need.filter) },
      columns: new Set(known.flatMap((need) => [...need.columns])),
    });
  }
  return needs;
}

interface Scan {
  readonly get: PlanNode;
  /** The conditions of the filters that take their rows from the scan itself. */
  readonly conditions: readonly PlanNode[];
}

/** Wherever in the plan they stand: an overlooked scan would leave a table's rows out. */
function collectScans(node: unknown, conditions: readonly PlanNode[], scans: Scan[]): void {
  if (Array.isArray(node)) {
    for (const item of node) collectScans(item, [], scans);
    return;
  }
  if (!isNode(node)) return;
  if (node['type'] === 'LOGICAL_GET') scans.push({ get: node, conditions });
  const children = nodesOf(node['children']);
  const [only] = children;
  if (node['type'] === 'LOGICAL_FILTER' && children.length === 1 && only) {
    // Its conditions are about what comes in: a filter below, which may leave columns out, ends the chain.
    collectScans(only, only['type'] === 'LOGICAL_GET' ? nodesOf(node['expressions']) : [], scans);
    for (const [key, value] of Object.entries(node)) if (key !== 'children') collectScans(value, [], scans);
    return;
  }
  for (const value of Object.values(node)) collectScans(value, [], scans);
}

function scannedTable(get: PlanNode): string | null {
  const data = get['function_data'];
  if (get['name'] !== 'seq_scan' || !isNode(data)) return null;
  return planName(String(data['schema']), String(data['table']));
}

function scanNeed({ get, conditions }: Scan, schema: Schema): TableNeed | null {
  const extra = get['extra_info'];
  if (!Array.isArray(get['column_indexes'])) return null;
  // A sample is taken before rows are filtered.
  if (isNode(extra) && extra['sample_options'] !== null && extra['sample_options'] !== undefined) return null;
  const read = nodesOf(get['column_indexes']).map((column) => fieldAt(schema, column['index']));
  const expressions = new PlanExpressions(schema);
  const filters = isNode(get['table_filters']) ? nodesOf(get['table_filters']['filters']) : [];
  const pushed = filters.flatMap(({ key, value }) => {
    const field = fieldAt(schema, key);
    return field && isNode(value) ? [expressions.neededOfColumn(value, field)] : [];
  });
  const shown = projected(get['projection_ids'], read);
  const above = conditions.map((condition) =>
    expressions.needed(condition, ({ index }) => (typeof index === 'number' ? shown[index] : undefined)),
  );
  return {
    filter: { kind: 'and', children: [...pushed, ...above] },
    columns: new Set(read.flatMap((field) => (field ? [field.id] : []))),
  };
}

/** Undefined for what is no column of the table, such as DuckDB's own number of a row. */
const fieldAt = (schema: Schema, at: unknown): NestedField | undefined =>
  typeof at === 'number' ? schema.fields[at] : undefined;

function projected(
  ids: unknown,
  read: readonly (NestedField | undefined)[],
): readonly (NestedField | undefined)[] {
  if (!Array.isArray(ids) || ids.length === 0) return read;
  return ids.map((id) => (typeof id === 'number' ? read[id] : undefined));
}
