import { openQueryEngine } from '../../src/cli/query-engine.ts';
import { viewName } from '../../src/engine/sql-text.ts';
import { currentSchema } from '../../src/iceberg/table-metadata.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { resolveSnapshot } from '../../src/table/resolve-snapshot.ts';
import { scanTarget } from '../../src/table/scan.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';
import { type Exact, exactValue } from './exact-values.ts';

export type ExactRow = Readonly<Record<string, Exact>>;

/** The rows of a table as `lake sql` gives them, exactly. */
export async function exactRows(
  lake: Lake,
  table: string,
  options: { readonly asOf?: string; readonly where?: string } = {},
): Promise<readonly ExactRow[]> {
  const { metadata } = await openTable(lake, parseTableName(table));
  const schema =
    options.asOf === undefined
      ? currentSchema(metadata)
      : scanTarget(metadata, resolveSnapshot(metadata, options.asOf).scan).schema;
  const where = options.where === undefined ? '' : ` WHERE ${options.where}`;
  const sql = `SELECT * FROM ${viewName(parseTableName(table))}${where}`;
  const engine = await openQueryEngine(lake, sql, options.asOf);
  try {
    const types = new Map(schema.fields.map((field) => [field.name, field.type]));
    const rows: ExactRow[] = [];
    for await (const row of engine.rows(sql)) {
      const cells = Object.entries(row).map(([column, value]) => {
        const type = types.get(column);
        if (type === undefined) throw new Error(`no column ${column} in the schema`);
        return [column, exactValue(type, value)] as const;
      });
      rows.push(Object.fromEntries(cells));
    }
    return rows;
  } finally {
    await engine.close();
  }
}

/** Rows in an order of their own, to be compared. */
export const inOrder = (rows: readonly ExactRow[]): readonly ExactRow[] =>
  [...rows].sort((a, b) => (orderText(a) < orderText(b) ? -1 : 1));

const orderText = (row: ExactRow): string =>
  JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
