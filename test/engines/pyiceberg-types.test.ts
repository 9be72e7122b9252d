import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DuckDbEngine } from '../../src/engine/duckdb.ts';
import { quoteName } from '../../src/engine/sql-text.ts';
import type { Expression } from '../../src/iceberg/expressions.ts';
import { currentSchema, defaultSpec } from '../../src/iceberg/table-metadata.ts';
import { isList, isMap, isStruct } from '../../src/iceberg/types.ts';
import { openLakeEngine } from '../../src/project/lake-engine.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { appendSelect } from '../../src/table/append.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';
import { type ExactRow, exactRows } from './exact-rows.ts';
import { type Exact, exactValue, primitiveValue } from './exact-values.ts';
import { MatrixPart } from './matrix.ts';
import { PYICEBERG, PyIceberg, pyIcebergRefusal, withPyIceberg } from './pyiceberg.ts';
import { openStackLake } from './stack-lake.ts';
import { FIXED_CASES, TYPE_CASES, type TypeCase } from './type-cases.ts';
import { duckLiteral, jsonOf } from './type-literals.ts';

/** Years that Python's own dates do not have. */
const isBeyondPython = (value: unknown): boolean => /^\d{5,}-|\(BC\)/.test(String(value));
const CASES = [...TYPE_CASES, ...FIXED_CASES].map((one) => ({
  ...one,
  values: one.values.filter((value) => !isBeyondPython(value)),
}));
/** Each value of a type is in a row of its own, and null in the rows after them. */
const HEIGHT = Math.max(...CASES.map(({ values }) => values.length)) + 1;

const columnOf = (at: number): string => `c${at}`;
function exactOf({ type, values }: TypeCase, row: number): Exact {
  const value = values[row] ?? null;
  // JSON has no sign of zero.
  if (value === '-0.0') return '8000000000000000';
  return exactValue(type, jsonOf(type, value));
}

const ROWS: readonly ExactRow[] = Array.from({ length: HEIGHT }, (_, row) => ({
  id: String(row),
  ...Object.fromEntries(CASES.map((one, at) => [columnOf(at), exactOf(one, row)])),
}));

const SCHEMA = {
  type: 'struct' as const,
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    ...CASES.map(({ type }, at) => ({ id: 1000 + at, name: columnOf(at), required: false, type })),
  ],
};

/** A file a row, so that metrics leave files out. */
const BY_ID = {
  'spec-id': 0,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'id', transform: 'identity' }],
};

const matrix = new MatrixPart({
  name: 'pyiceberg',
  engine: PYICEBERG,
  part: 'types',
  refusal: pyIcebergRefusal,
});

withPyIceberg('types between PyIceberg and Lakewarden', () => {
  const space = 'pyiceberg_types';
  const [theirs, ours] = [`${space}.theirs`, `${space}.ours`];
  let lake: Lake;
  let engine: DuckDbEngine;
  let py: PyIceberg;
  /** Tables by the engine that reads them and the one that wrote them. */
  const read = { ourTheirs: [] as readonly ExactRow[], theirOurs: [] as readonly ExactRow[] };

  beforeAll(async () => {
    lake = await openStackLake();
    engine = await openLakeEngine(lake);
    py = new PyIceberg();
    await emptied();
    await lake.catalog.createNamespace([space]);
    await py.do('create', { table: theirs, schema: SCHEMA, partition: BY_ID });
    await py.do('append', { table: theirs, rows: ROWS });
    const { metadata } = await lake.catalog.loadTable({ namespace: [space], name: 'theirs' });
    const like = { schema: currentSchema(metadata), 'partition-spec': defaultSpec(metadata) };
    await lake.catalog.createTable([space], { name: 'ours', ...like });
    await appendSelect(lake, engine, { namespace: [space], name: 'ours' }, { sql: rowsAsSql() });
    read.ourTheirs = await exactRows(lake, theirs);
    read.theirOurs = await py.do('rows', { table: ours });
  });
  afterAll(async () => {
    if (lake) await emptied();
    await py?.close();
    await engine?.close();
    await lake?.close();
  });

  async function emptied(): Promise<void> {
    if (!(await lake.catalog.namespaceExists([space]))) return;
    for (const table of await lake.catalog.listTables([space])) await lake.catalog.dropTable(table);
    await lake.catalog.dropNamespace([space]);
  }

  const NAMES = CASES.map((one, at) => [one.name, at] as const);

  it.each(NAMES)('PyIceberg writes %s and Lakewarden reads each value and finds it', (name, at) =>
    matrix.see(name, 'writes', async () => {
      const wrong = losesNulls(at);
      expect(column(read.ourTheirs, at).map(unsigned)).toEqual(wrong ? emptyForNull(at) : wanted(at));
      if (CASES[at]?.isOrdered !== true) return wrong;
      const scanned = await openTable(lake, { namespace: [space], name: 'theirs' });
      for (const [id, value] of column(ROWS, at).entries()) {
        const { tasks } = await planScan(scanned, { filter: equals(at, value) });
        expect(tasks.map(({ dataFile }) => Number(dataFile.partition[0]))).toContain(id);
      }
    }),
  );

  it.each(NAMES)('Lakewarden writes %s and PyIceberg reads each value and finds it', (name, at) =>
    matrix.see(name, 'reads', async () => {
      const wrong = losesNulls(at);
      expect(column(read.theirOurs, at)).toEqual(wrong ? emptyForNull(at) : column(ROWS, at));
      if (CASES[at]?.isOrdered !== true) return wrong;
      const asked = { table: ours, column: columnOf(at) };
      const values = column(ROWS, at);
      const planned = await py.do<number[][]>('ids_where_equal', { ...asked, values, read: false });
      for (const [id, ids] of planned.entries()) expect(ids, JSON.stringify(values[id])).toContain(id);
      const last = values.filter((value) => value !== null).length - 1;
      const found = await py.do('ids_where_equal', { ...asked, values: [values[0], values[last]] });
      expect(found).toEqual([[0], [last]]);
    }),
  );

  it('has seen all of its matrix', () => matrix.finish());
});

function rowsAsSql(): string {
  const cells = (row: number) =>
    CASES.map(
      ({ type, values }, at) => `${duckLiteral(type, values[row] ?? null)} AS ${quoteName(columnOf(at))}`,
    );
  return ROWS.map((_, row) => `SELECT ${[`CAST(${row} AS BIGINT) AS id`, ...cells(row)].join(', ')}`).join(
    ' UNION ALL ',
  );
}

/** A column's values in the order of the ids. */
const column = (rows: readonly ExactRow[], at: number): Exact[] =>
  [...rows].sort((a, b) => Number(a['id']) - Number(b['id'])).map((row) => row[columnOf(at)] ?? null);

const wanted = (at: number): Exact[] => column(ROWS, at).map(unsigned);

/** JSON has no sign of zero. */
const unsigned = (value: Exact): Exact => (value === '8000000000000000' ? '0000000000000000' : value);

/** PyIceberg 0.12 makes lists and maps of structs anew without telling which of them are null, in files that it writes and in rows that it reads. */
function losesNulls(at: number): { readonly wrong: string } | undefined {
  const type = CASES[at]?.type;
  const isLost =
    type !== undefined && ((isList(type) && isStruct(type.element)) || (isMap(type) && isStruct(type.value)));
  return isLost ? { wrong: 'a null list or map of structs becomes an empty one' } : undefined;
}

const emptyForNull = (at: number): Exact[] => column(ROWS, at).map((value) => value ?? []);

function equals(at: number, value: Exact): Expression {
  const name = columnOf(at);
  const type = CASES[at]?.type ?? 'int';
  if (value === null) return { kind: 'isNull', column: name };
  return { kind: 'eq', column: name, literal: primitiveValue(type, value) };
}
