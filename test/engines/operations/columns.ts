import { expect } from 'vitest';
import type { Row } from '../../../src/engine/row-values.ts';
import type { SchemaChange } from '../../../src/iceberg/schema-evolution.ts';
import { currentSchema } from '../../../src/iceberg/table-metadata.ts';
import { parseType } from '../../../src/iceberg/type-text.ts';
import { alterTable } from '../../../src/table/alter.ts';
import type { OperationTests } from './operation-tests.ts';

interface Evolution {
  /** In the matrix. */
  readonly row: string;
  readonly columns: readonly (readonly [name: string, type: string])[];
  /** In Trino's SQL. */
  readonly trinoColumns: string;
  /** Written before and after the change, as both engines read them. */
  readonly before: string;
  readonly after: string;
  readonly trino: readonly string[];
  readonly lakewarden: readonly SchemaChange[];
  readonly rows: readonly Row[];
}

const EVOLUTIONS: readonly Evolution[] = [
  {
    row: 'add column',
    columns: [['id', 'int']],
    trinoColumns: 'id integer',
    before: '(1)',
    after: "(2, 'x')",
    trino: ['ADD COLUMN note varchar'],
    lakewarden: [{ action: 'add-column', name: 'note', type: 'string' }],
    rows: [
      { id: 1, note: null },
      { id: 2, note: 'x' },
    ],
  },
  {
    row: 'drop column, and add another of its name',
    columns: [
      ['id', 'int'],
      ['v', 'string'],
    ],
    trinoColumns: 'id integer, v varchar',
    before: "(1, 'old')",
    after: "(2, DATE '2001-01-05')",
    trino: ['DROP COLUMN v', 'ADD COLUMN v date'],
    lakewarden: [
      { action: 'drop-column', column: 'v' },
      { action: 'add-column', name: 'v', type: 'date' },
    ],
    rows: [
      { id: 1, v: null },
      { id: 2, v: '2001-01-05' },
    ],
  },
  {
    row: 'rename columns crosswise',
    columns: [
      ['id', 'int'],
      ['a', 'string'],
      ['b', 'string'],
    ],
    trinoColumns: 'id integer, a varchar, b varchar',
    before: "(1, 'a', 'b')",
    after: "(2, 'B', 'A')",
    trino: ['RENAME COLUMN a TO c', 'RENAME COLUMN b TO a', 'RENAME COLUMN c TO b'],
    lakewarden: [
      { action: 'rename-column', column: 'a', to: 'c' },
      { action: 'rename-column', column: 'b', to: 'a' },
      { action: 'rename-column', column: 'c', to: 'b' },
    ],
    rows: [
      { id: 1, b: 'a', a: 'b' },
      { id: 2, b: 'B', a: 'A' },
    ],
  },
  {
    row: 'widen columns',
    columns: [
      ['id', 'int'],
      ['f', 'float'],
      ['d', 'decimal(9, 2)'],
    ],
    trinoColumns: 'id integer, f real, d decimal(9, 2)',
    before: "(CAST(-2147483648 AS INTEGER), CAST('0.5' AS REAL), CAST('1234567.89' AS DECIMAL(9, 2)))",
    after: "(9223372036854775807, CAST('0.1' AS DOUBLE), CAST('123456789012345678.90' AS DECIMAL(20, 2)))",
    trino: [
      'ALTER COLUMN id SET DATA TYPE bigint',
      'ALTER COLUMN f SET DATA TYPE double',
      'ALTER COLUMN d SET DATA TYPE decimal(20, 2)',
    ],
    lakewarden: [
      { action: 'widen-column', column: 'id', type: 'long' },
      { action: 'widen-column', column: 'f', type: 'double' },
      { action: 'widen-column', column: 'd', type: 'decimal(20, 2)' },
    ],
    rows: [
      { id: -2147483648, f: 0.5, d: 1234567.89 },
      { id: '9223372036854775807', f: 0.1, d: '123456789012345678.90' },
    ],
  },
  {
    row: 'add, drop and rename nested fields',
    columns: [
      ['id', 'int'],
      ['s', 'struct<a: int, b: string>'],
    ],
    trinoColumns: 'id integer, s row(a integer, b varchar)',
    before: "(1, CAST(ROW(1, 'b') AS ROW(a INTEGER, b VARCHAR)))",
    after: "(2, CAST(ROW(2, DATE '2001-01-05') AS ROW(z INTEGER, c DATE)))",
    trino: ['DROP COLUMN s.b', 'ADD COLUMN s.c date', 'RENAME COLUMN s.a TO z'],
    lakewarden: [
      { action: 'drop-column', column: 's.b' },
      { action: 'add-column', parent: 's', name: 'c', type: 'date' },
      { action: 'rename-column', column: 's.a', to: 'z' },
    ],
    rows: [
      { id: 1, s: { z: 1, c: null } },
      { id: 2, s: { z: 2, c: '2001-01-05' } },
    ],
  },
  {
    row: 'fields of structs in lists',
    columns: [
      ['id', 'int'],
      ['l', 'list<struct<a: int>>'],
    ],
    trinoColumns: 'id integer, l array(row(a integer))',
    before: '(1, TRINO_LIST_1)',
    after: '(2, TRINO_LIST_2)',
    trino: ['ADD COLUMN l.element.b varchar'],
    lakewarden: [{ action: 'add-column', parent: 'l', name: 'b', type: 'string' }],
    rows: [
      { id: 1, l: [{ a: 1, b: null }] },
      { id: 2, l: [{ a: 2, b: 'x' }, null] },
    ],
  },
];

/** What the engines write differently. */
const LISTS = {
  trino: {
    TRINO_LIST_1: 'CAST(ARRAY[ROW(1)] AS ARRAY(ROW(a INTEGER)))',
    TRINO_LIST_2: "CAST(ARRAY[ROW(2, 'x'), NULL] AS ARRAY(ROW(a INTEGER, b VARCHAR)))",
  },
  lakewarden: {
    TRINO_LIST_1: '[{a: 1}]',
    TRINO_LIST_2: "[{a: 2, b: 'x'}, NULL]",
  },
} as const;

function written(text: string, lists: Readonly<Record<string, string>>): string {
  return Object.entries(lists).reduce((sql, [name, value]) => sql.replace(name, value), text);
}

/** Columns added, dropped, renamed and widened, with rows written before and after. */
export function testColumns(tests: OperationTests): void {
  const run = (...sql: string[]) => tests.both.run(...sql);
  const alter = (table: string, columns: readonly SchemaChange[]) =>
    alterTable(tests.both.lake, tests.both.id(table), { columns });

  for (const [i, one] of EVOLUTIONS.entries()) {
    tests.writes(one.row, async () => {
      const table = `evolved_${i}`;
      await run(
        `CREATE TABLE ${tests.name(table)} (${one.trinoColumns})`,
        `INSERT INTO ${tests.name(table)} VALUES ${written(one.before, LISTS.trino)}`,
        ...one.trino.map((change) => `ALTER TABLE ${tests.name(table)} ${change}`),
        `INSERT INTO ${tests.name(table)} VALUES ${written(one.after, LISTS.trino)}`,
      );
      await tests.sameTable(table, one.rows);
    });
    tests.reads(one.row, async () => {
      const table = `evolved_here_${i}`;
      await tests.lakewardenMakes(table, [], one.columns, written(one.before, LISTS.lakewarden));
      await alter(table, one.lakewarden);
      await tests.append(table, written(one.after, LISTS.lakewarden));
      await tests.sameTable(table, one.rows);
    });
  }

  tests.writes('drop NOT NULL', async () => {
    await run(
      `CREATE TABLE ${tests.name('loose')} (id integer NOT NULL)`,
      `INSERT INTO ${tests.name('loose')} VALUES 1`,
      `ALTER TABLE ${tests.name('loose')} ALTER COLUMN id DROP NOT NULL`,
      `INSERT INTO ${tests.name('loose')} VALUES NULL`,
    );
    await tests.same(`SELECT id FROM ${tests.name('loose')} ORDER BY id NULLS LAST`, [
      { id: 1 },
      { id: null },
    ]);
  });

  tests.writes('comments', async () => {
    await run(
      `CREATE TABLE ${tests.name('described')} (id integer)`,
      `COMMENT ON TABLE ${tests.name('described')} IS 'a table'`,
      `COMMENT ON COLUMN ${tests.name('described')}.id IS 'its key'`,
    );
    const { metadata } = await tests.both.table('described');
    expect(metadata.properties['comment']).toBe('a table');
    expect(currentSchema(metadata).fields).toMatchObject([{ name: 'id', doc: 'its key' }]);
  });
  tests.reads('comments', async () => {
    await tests.lakewardenMakes('described_here');
    const { lake } = tests.both;
    await alterTable(lake, tests.both.id('described_here'), {
      columns: [{ action: 'set-doc', column: 'id', doc: 'its key' }],
      setProperties: { comment: 'a table' },
    });
    const [, described] = await tests.both
      .trinoRows(`SHOW CREATE TABLE ${tests.name('described_here')}`)
      .then((rows) => ['', String(rows[0]?.['Create Table'])]);
    expect(described).toContain("id bigint COMMENT 'its key'");
    expect(described).toContain("COMMENT 'a table'");
  });

  tests.reads('move columns', async () => {
    await tests.lakewardenMakes('moved_columns');
    await alter('moved_columns', [{ action: 'move-column', column: 'day', position: 'first' }]);
    await tests.append('moved_columns', "(DATE '2001-01-05', 5::BIGINT, 'e')");
    await tests.same(`SELECT * FROM ${tests.name('moved_columns')} WHERE id IN (1, 5) ORDER BY id`, [
      { day: '1969-12-31', id: 1, name: 'a' },
      { day: '2001-01-05', id: 5, name: 'e' },
    ]);
    expect(currentSchema((await tests.both.table('moved_columns')).metadata).fields[0]?.type).toEqual(
      parseType('date'),
    );
  });
}
