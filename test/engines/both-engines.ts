import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { openQueryEngine } from '../../src/cli/query-engine.ts';
import type { DuckDbEngine } from '../../src/engine/duckdb.ts';
import type { Row } from '../../src/engine/row-values.ts';
import type { TrinoEngine } from '../../src/engine/trino.ts';
import { LakeError } from '../../src/errors.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { openTable, parseTableName, type Table } from '../../src/table/table.ts';
import { testedTrino } from './stack.ts';
import { openStackLake } from './stack-lake.ts';

/** The message of what Trino itself refused; null for any other error. */
export function trinoRefusal(error: unknown): string | null {
  const name = error instanceof LakeError ? error.context['trino'] : undefined;
  return error instanceof LakeError && typeof name === 'string' ? `${name}: ${error.message}` : null;
}

/** Lakewarden in this process and Trino on the stack's lake, with a namespace of their own. Close it. */
export class BothEngines {
  readonly namespace: string;
  readonly lake: Lake;
  readonly trino: TrinoEngine;
  /** For Lakewarden's writes. */
  readonly engine: DuckDbEngine;

  private constructor(namespace: string, lake: Lake, engine: DuckDbEngine) {
    this.namespace = namespace;
    this.lake = lake;
    this.trino = testedTrino();
    this.engine = engine;
  }

  /** With the namespace empty. */
  static async open(namespace: string): Promise<BothEngines> {
    const lake = await openStackLake();
    const both = new BothEngines(namespace, lake, await openLakeEngine(lake));
    await both.#clear();
    await both.run(`CREATE SCHEMA ${namespace}`);
    return both;
  }

  async close(): Promise<void> {
    await this.#clear();
    await this.engine.close();
    await this.lake.close();
  }

  /** Runs Trino's statements one after the other. */
  async run(...statements: readonly string[]): Promise<void> {
    for (const sql of statements) await this.trino.run(sql);
  }

  /** What Trino answers, as the embedded engine would write it. */
  async trinoRows(sql: string): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const row of this.trino.objects(sql)) rows.push(row);
    return rows;
  }

  /** What `lake sql` answers. */
  async lakeRows(sql: string, asOf?: string): Promise<Row[]> {
    const engine = await openQueryEngine(this.lake, sql, asOf);
    try {
      return await engine.all(sql);
    } finally {
      await engine.close();
    }
  }

  id(table: string): TableIdentifier {
    return parseTableName(`${this.namespace}.${table}`);
  }

  table(table: string): Promise<Table> {
    return openTable(this.lake, this.id(table));
  }

  async #clear(): Promise<void> {
    await this.run(`DROP SCHEMA IF EXISTS ${this.namespace} CASCADE`);
  }
}
