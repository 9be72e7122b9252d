import { expect, it } from 'vitest';
import { duckDbType } from '../../../src/engine/duckdb-types.ts';
import type { Row } from '../../../src/engine/row-values.ts';
import { quoteName } from '../../../src/engine/sql-text.ts';
import { buildPartitionSpec, type PartitionFieldRequest } from '../../../src/iceberg/partition-spec.ts';
import { assignFreshIds } from '../../../src/iceberg/schema.ts';
import { currentSchema } from '../../../src/iceberg/table-metadata.ts';
import { parseType } from '../../../src/iceberg/type-text.ts';
import { appendSelect } from '../../../src/table/append.ts';
import type { BothEngines } from '../both-engines.ts';
import type { MatrixPart } from '../matrix.ts';

type Body = Parameters<MatrixPart['see']>[2];

/** What the tests of operations share: both engines, and the matrix. */
export class OperationTests {
  readonly #both: () => BothEngines;
  readonly #matrix: MatrixPart;
  readonly #namespace: string;

  /** `both` is opened by the time that the tests run. */
  constructor(namespace: string, matrix: MatrixPart, both: () => BothEngines) {
    this.#namespace = namespace;
    this.#matrix = matrix;
    this.#both = both;
  }

  get both(): BothEngines {
    return this.#both();
  }

  /** A test of what Trino does and Lakewarden reads. */
  writes(row: string, body: Body): void {
    this.#matrix.reserve(row);
    it.concurrent(`Trino: ${row}`, () => this.#matrix.see(row, 'writes', body));
  }

  /** A test of what Lakewarden does and Trino reads. */
  reads(row: string, body: Body): void {
    this.#matrix.reserve(row);
    it.concurrent(`Lakewarden: ${row}`, () => this.#matrix.see(row, 'reads', body));
  }

  /** The table's name in both engines' SQL. */
  name(table: string): string {
    return `${this.#namespace}.${table}`;
  }

  /** Both engines answer exactly these rows. */
  async same(sql: string, rows: readonly Row[]): Promise<void> {
    expect(await this.both.lakeRows(sql), `Lakewarden: ${sql}`).toEqual(rows);
    expect(await this.both.trinoRows(sql), `Trino: ${sql}`).toEqual(rows);
  }

  /** Both engines show the table's rows alike, in the order of its first column, and these are they. */
  async sameTable(table: string, rows: readonly Row[]): Promise<void> {
    await this.same(`SELECT * FROM ${this.name(table)} ORDER BY 1`, rows);
  }

  /** A table by Trino, `id bigint, name varchar, day date`, with the rows 1 to 4. */
  async trinoMakes(table: string, properties = ''): Promise<void> {
    await this.both.run(
      `CREATE TABLE ${this.name(table)} (id bigint, name varchar, day date) ${properties === '' ? '' : `WITH (${properties})`}`,
      `INSERT INTO ${this.name(table)} VALUES ${ROWS_SQL}`,
    );
  }

  /** The same table by Lakewarden. */
  async lakewardenMakes(
    table: string,
    partitioning: readonly PartitionFieldRequest[] = [],
    columns: readonly (readonly [name: string, type: string])[] = COLUMNS,
    rows: string = ROWS_SQL,
  ): Promise<void> {
    const fields = columns.map(([name, type]) => ({ id: 0, name, required: false, type: parseType(type) }));
    const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
    await this.both.lake.catalog.createTable([this.#namespace], {
      name: table,
      schema,
      ...(partitioning.length === 0 ? {} : { 'partition-spec': buildPartitionSpec(schema, partitioning) }),
    });
    await this.append(table, rows);
  }

  /** Lakewarden appends rows, given as SQL's VALUES in the order of the table's columns. */
  async append(table: string, rows: string, branch = 'main'): Promise<void> {
    const { lake, engine } = this.both;
    const { fields } = currentSchema((await this.both.table(table)).metadata);
    const names = fields.map(({ name }) => quoteName(name));
    const columns = fields.map(
      ({ name, type }) => `CAST(${quoteName(name)} AS ${duckDbType(type)}) AS ${quoteName(name)}`,
    );
    const sql = `SELECT ${columns.join(', ')} FROM (VALUES ${rows}) AS t(${names.join(', ')})`;
    await appendSelect(lake, engine, this.both.id(table), { sql, branch });
  }

  /** The id of the snapshot that main is at. */
  async head(table: string): Promise<bigint> {
    const { metadata } = await this.both.table(table);
    const id = metadata['current-snapshot-id'];
    if (id === undefined || id === null) throw new Error(`${table} has no snapshot`);
    return id;
  }
}

const COLUMNS = [
  ['id', 'long'],
  ['name', 'string'],
  ['day', 'date'],
] as const;

const ROWS_SQL =
  "(1, 'a', DATE '1969-12-31'), (2, 'b', DATE '2024-02-29'), (3, NULL, DATE '2024-02-29'), (4, 'd', NULL)";

/** The rows that `trinoMakes` and `lakewardenMakes` put in. */
export const ROWS: readonly Row[] = [
  { id: 1, name: 'a', day: '1969-12-31' },
  { id: 2, name: 'b', day: '2024-02-29' },
  { id: 3, name: null, day: '2024-02-29' },
  { id: 4, name: 'd', day: null },
];

export const [ROW1, ROW2, ROW3, ROW4] = ROWS as readonly [Row, Row, Row, Row];
