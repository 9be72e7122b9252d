import { expect } from 'vitest';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import type { DuckDbEngine } from '../../src/engine/duckdb.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { appendSelect } from '../../src/table/append.ts';
import { openTable, parseTableName, type Table } from '../../src/table/table.ts';
import { type ExactRow, exactRows, inOrder } from './exact-rows.ts';
import { PyIceberg } from './pyiceberg.ts';
import { openStackLake } from './stack-lake.ts';

const FIRST_DAY = 11_323; // 2001-01-01

/** A row of the tables: days are 0 (2001-01-01) and those after it. */
export function row(id: number, day: number, name: string | null): ExactRow {
  return { id: String(id), day: String(FIRST_DAY + day), name };
}

export const SCHEMA = {
  type: 'struct' as const,
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'day', required: false, type: 'date' },
    { id: 3, name: 'name', required: false, type: 'string' },
  ],
};

/** One table that PyIceberg and Lakewarden both write, in a namespace of its own. */
export class PyIcebergLake {
  readonly lake: Lake;
  readonly engine: DuckDbEngine;
  readonly py: PyIceberg;
  readonly space: string;
  #tables = 0;

  private constructor(lake: Lake, engine: DuckDbEngine, space: string) {
    this.lake = lake;
    this.engine = engine;
    this.space = space;
    this.py = new PyIceberg();
  }

  static async open(space: string): Promise<PyIcebergLake> {
    const lake = await openStackLake();
    const both = new PyIcebergLake(lake, await openLakeEngine(lake), space);
    await both.#empty();
    await both.py.do('create_namespace', { name: space });
    return both;
  }

  async close(): Promise<void> {
    await this.#empty();
    await this.py.close();
    await this.engine.close();
    await this.lake.close();
  }

  async #empty(): Promise<void> {
    const { catalog } = this.lake;
    if (!(await catalog.namespaceExists([this.space]))) return;
    // Not purged: to prove what may go, each purge reads every other table.
    for (const table of await catalog.listTables([this.space])) await catalog.dropTable(table);
    await catalog.dropNamespace([this.space]);
  }

  /** A name that no table has. */
  newName(): string {
    return `${this.space}.t${++this.#tables}`;
  }

  /** A new table, partitioned by day, that PyIceberg made, with rows that it wrote. */
  async newTable(
    rows: readonly ExactRow[] = [],
    properties: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const table = this.newName();
    const partition = {
      'spec-id': 0,
      fields: [{ 'source-id': 2, 'field-id': 1000, name: 'day', transform: 'identity' }],
    };
    await this.py.do('create', { table, schema: SCHEMA, partition, properties });
    if (rows.length > 0) await this.py.do('append', { table, rows });
    return table;
  }

  /** Asserts that both read exactly these rows. */
  async expectRows(
    table: string,
    rows: readonly ExactRow[],
    point: { readonly snapshot?: bigint | string; readonly ref?: string } = {},
  ): Promise<void> {
    const { snapshot, ref } = point;
    const asOf = ref ?? snapshot?.toString();
    const own = await exactRows(this.lake, table, asOf === undefined ? {} : { asOf });
    expect(inOrder(own), 'Lakewarden').toEqual(inOrder(rows));
    const words = {
      ...(ref === undefined ? {} : { ref }),
      ...(snapshot === undefined ? {} : { snapshot: String(snapshot) }),
    };
    const theirs = await this.py.do<ExactRow[]>('rows', { table, ...words });
    expect(inOrder(theirs), 'PyIceberg').toEqual(inOrder(rows));
  }

  /** The rows that Lakewarden finds by a filter. */
  found(table: string, where: string): Promise<readonly ExactRow[]> {
    return exactRows(this.lake, table, { where });
  }

  id(table: string): TableIdentifier {
    return parseTableName(table);
  }

  open(table: string): Promise<Table> {
    return openTable(this.lake, this.id(table));
  }

  /** Ids of all snapshots, the oldest first. */
  async snapshots(table: string): Promise<bigint[]> {
    return (await this.open(table)).metadata.snapshots.map((snapshot) => snapshot['snapshot-id']);
  }

  /** Lakewarden appends. */
  async append(table: string, rows: readonly ExactRow[], branch?: string): Promise<void> {
    const options = { sql: sqlOf(rows), ...(branch === undefined ? {} : { branch }) };
    await appendSelect(this.lake, this.engine, this.id(table), options);
  }
}

/** Rows as a query of the embedded engine. */
export const sqlOf = (rows: readonly ExactRow[]): string =>
  rows
    .map(({ id, day, name }) => {
      const text = name === null ? 'NULL' : `'${String(name)}'`;
      return `SELECT CAST(${String(id)} AS BIGINT) AS id, CAST(DATE '1970-01-01' + CAST(${String(day)} AS INTEGER) AS DATE) AS day, CAST(${text} AS VARCHAR) AS name`;
    })
    .join(' UNION ALL ');
