import { afterAll, beforeAll, expect, it } from 'vitest';
import { currentSchema, defaultSortOrder, defaultSpec } from '../../src/iceberg/table-metadata.ts';
import { alterTable } from '../../src/table/alter.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { rollback } from '../../src/table/rollback.ts';
import { createRef, removeRef } from '../../src/table/tag.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import type { ExactRow } from './exact-rows.ts';
import { MatrixPart } from './matrix.ts';
import { PYICEBERG, pyIcebergRefusal, withPyIceberg } from './pyiceberg.ts';
import { PyIcebergLake, row, sqlOf } from './pyiceberg-lake.ts';
import { tableOperations } from './pyiceberg-tables.ts';

const A = row(1, 0, 'a');
const B = row(2, 0, null);
const C = row(3, 1, 'c');
const D = row(4, 1, 'd');
/** Two files, one a day. */
const START = [A, B, C, D];
/** After the columns changed. */
const evolved = ({ id = null, day = null, name = null }: ExactRow): ExactRow => ({
  id,
  day,
  label: name,
  n: null,
});

withPyIceberg('operations between PyIceberg and Lakewarden', () => {
  const matrix = new MatrixPart({
    name: 'pyiceberg',
    engine: PYICEBERG,
    part: 'operations',
    refusal: pyIcebergRefusal,
  });
  let both: PyIcebergLake;
  beforeAll(async () => {
    both = await PyIcebergLake.open('pyiceberg_operations');
  });
  afterAll(() => both?.close());

  const writes = (name: string, body: () => Promise<void>) =>
    it(`PyIceberg: ${name}`, () => matrix.see(name, 'writes', body));
  const reads = (name: string, body: () => Promise<void>) =>
    it(`Lakewarden: ${name}`, () => matrix.see(name, 'reads', body));

  writes('append', async () => {
    const table = await both.newTable(START);
    await both.expectRows(table, START);
    await both.py.do('append', { table, rows: [row(5, 9, 'e')] });
    await both.append(table, [row(6, 0, 'f')]);
    await both.expectRows(table, [...START, row(5, 9, 'e'), row(6, 0, 'f')]);
    const [first] = await both.snapshots(table);
    const later = await both.py.do<object[]>('appended', { table, after: String(first) });
    expect(later).toHaveLength(2);
  });
  reads('append', async () => {
    const table = await both.newTable();
    await both.append(table, START);
    await both.expectRows(table, START);
  });

  writes('overwrite by a filter', async () => {
    const table = await both.newTable(START);
    await both.py.do('overwrite', { table, rows: [row(9, 3, 'n')], where: "day = '2001-01-01' or id = 3" });
    await both.expectRows(table, [D, row(9, 3, 'n')]);
    await both.py.do('overwrite', { table, rows: [row(8, 3, 'm')] });
    await both.expectRows(table, [row(8, 3, 'm')]);
  });
  writes('overwrite partitions', async () => {
    const table = await both.newTable(START);
    await both.py.do('overwrite_partitions', { table, rows: [row(9, 1, 'n'), row(10, 2, 'o')] });
    await both.expectRows(table, [A, B, row(9, 1, 'n'), row(10, 2, 'o')]);
  });
  reads('overwrite partitions', async () => {
    const table = await both.newTable(START);
    await overwriteSelect(both.lake, both.engine, both.id(table), { sql: sqlOf([row(9, 1, 'n')]) });
    await both.expectRows(table, [A, B, row(9, 1, 'n')]);
  });
  writes('overwrite partitions by a transform', async () => {
    const table = await both.newTable(START);
    await both.py.do('alter_partitioning', { table, remove: ['day'], add: [['day', 'month', 'month']] });
    await both.py.do('overwrite_partitions', { table, rows: [row(9, 1, 'n')] });
  });

  writes('upsert', async () => {
    const table = await both.newTable(START);
    const done = await both.py.do('upsert', { table, rows: [row(2, 5, 'b'), row(7, 1, 'g')], keys: ['id'] });
    expect(done).toEqual([1, 1]);
    await both.expectRows(table, [A, row(2, 5, 'b'), C, D, row(7, 1, 'g')]);
  });
  for (const mode of ['copy-on-write', 'merge-on-read'] as const) {
    reads(`upsert, ${mode}`, async () => {
      const table = await both.newTable(START);
      const sql = sqlOf([row(2, 5, 'b'), row(7, 1, 'g')]);
      await upsertSelect(both.lake, both.engine, both.id(table), { sql, keys: ['id'], mode });
      await both.expectRows(table, [A, row(2, 5, 'b'), C, D, row(7, 1, 'g')]);
    });
    reads(`delete rows, ${mode}`, async () => {
      const table = await both.newTable(START, { 'write.delete.mode': mode });
      await deleteWhere(both.lake, both.engine, both.id(table), { where: 'id IN (2, 3)' });
      await both.expectRows(table, [A, D]);
      // PyIceberg's own deletion of rows meets Lakewarden's.
      await both.py.do('delete', { table, where: 'id = 4' });
      await both.expectRows(table, [A]);
      const [first] = await both.snapshots(table);
      await both.expectRows(table, START, { snapshot: first ?? 0n });
    });
  }
  for (const mode of ['copy-on-write', 'merge-on-read'] as const) {
    writes(`delete rows, ${mode}`, async () => {
      const table = await both.newTable(START, { 'write.delete.mode': mode });
      await both.py.do('delete', { table, where: 'id = 2 or id = 3' });
      await both.expectRows(table, [A, D]);
      // Whatever was asked for, PyIceberg 0.12 writes files anew.
      expect(await both.py.do('inspect', { table, what: 'delete_files' })).toEqual([]);
    });
  }
  writes('delete whole files', async () => {
    const table = await both.newTable(START);
    await both.py.do('delete', { table, where: "day = '2001-01-02'" });
    await both.expectRows(table, [A, B]);
    const { metadata } = await both.open(table);
    expect(metadata.snapshots.at(-1)?.summary?.['operation']).toBe('delete');
  });
  reads('delete whole files', async () => {
    const table = await both.newTable(START);
    await deleteWhere(both.lake, both.engine, both.id(table), { where: "day = '2001-01-02'" });
    await both.expectRows(table, [A, B]);
  });

  writes('several changes in one commit', async () => {
    const table = await both.newTable(START);
    const words = { rows: [row(5, 2, 'e')], properties: { owner: 'tests' }, where: 'id = 1' };
    await both.py.do('several', { table, ...words });
    await both.expectRows(table, [B, C, D, row(5, 2, 'e')]);
    expect((await both.open(table)).metadata.properties['owner']).toBe('tests');
  });
  writes('add files', async () => {
    const table = await both.newTable(START, { 'schema.name-mapping.default': NAME_MAPPING });
    await both.py.do('add_files', {
      table,
      name: 'data/brought.parquet',
      rows: [row(5, 2, 'e'), row(6, 2, null)],
    });
    await both.expectRows(table, [...START, row(5, 2, 'e'), row(6, 2, null)]);
  });

  writes('change columns', async () => {
    const table = await both.newTable(START);
    const changes = [
      ['add_column', 'n', 'int'],
      ['rename_column', 'name', 'label'],
      ['move_first', 'name'],
    ];
    await both.py.do('alter_columns', { table, changes });
    await both.py.do('append', { table, rows: [{ ...row(5, 2, null), label: 'e', n: '7' }] });
    await both.py
      .do('alter_columns', {
        table,
        changes: [
          ['update_column', 'n', 'long'],
          ['delete_column', 'day'],
        ],
      })
      .catch((error: Error) => expect(error.message).toMatch(/partition/));
    await both.py.do('alter_columns', { table, changes: [['update_column', 'n', 'long']] });
    const old = START.map(evolved);
    const { day = null } = row(5, 2, null);
    await both.expectRows(table, [...old, { id: '5', day, label: 'e', n: '7' }]);
    const [first] = await both.snapshots(table);
    await both.expectRows(table, START, { snapshot: first ?? 0n });
    const { fields } = currentSchema((await both.open(table)).metadata);
    expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'label string',
      'id long',
      'day date',
      'n long',
    ]);
  });
  reads('change columns', async () => {
    const table = await both.newTable(START);
    await alterTable(both.lake, both.id(table), {
      columns: [
        { action: 'add-column', name: 'n', type: 'int' },
        { action: 'rename-column', column: 'name', to: 'label' },
        { action: 'move-column', column: 'label', position: 'first' },
        { action: 'widen-column', column: 'n', type: 'long' },
      ],
    });
    await both.py.do('append', { table, rows: [{ id: '5', day: '11330', label: 'e', n: '4294967296' }] });
    const old = START.map(evolved);
    await both.expectRows(table, [...old, { id: '5', day: '11330', label: 'e', n: '4294967296' }]);
  });

  writes('change partitioning', async () => {
    const table = await both.newTable(START);
    const add = [
      ['day', 'month', 'month'],
      ['id', 'bucket[4]', 'part'],
      ['name', 'truncate[1]', 'letter'],
    ];
    await both.py.do('alter_partitioning', { table, add, remove: ['day'] });
    const more = [row(5, 2, 'ex'), row(6, 40, null), row(-7, -20_000, 'ü𝄞')];
    await both.py.do('append', { table, rows: more });
    await both.expectRows(table, [...START, ...more]);
    // Files are left out by partition values that PyIceberg wrote.
    for (const one of more) {
      const where =
        one['name'] === null ? `id = ${one['id']}` : `id = ${one['id']} AND name = '${one['name']}'`;
      expect(await both.found(table, `${where} AND day = DATE '1970-01-01' + ${one['day']}`)).toEqual([one]);
    }
    expect(defaultSpec((await both.open(table)).metadata).fields.map(({ transform }) => transform)).toEqual([
      'month',
      'bucket[4]',
      'truncate[1]',
    ]);
  });
  reads('change partitioning', async () => {
    const table = await both.newTable(START);
    const add = [
      { source: 'day', transform: 'month' },
      { source: 'id', transform: 'bucket[4]' },
      { source: 'name', transform: 'truncate[1]' },
    ];
    await alterTable(both.lake, both.id(table), { partitioning: { add, drop: ['day'] } });
    const more = [row(5, 2, 'ex'), row(6, 40, null), row(-7, -20_000, 'ü𝄞')];
    await both.append(table, more);
    await both.expectRows(table, [...START, ...more]);
    for (const one of more)
      expect(await both.py.do('rows', { table, where: `id = ${one['id']}` })).toEqual([one]);
    expect(await both.py.do('rows', { table, where: "name = 'ü𝄞'" })).toEqual([more[2]]);
    expect(await both.py.do('rows', { table, where: "day > '2001-02-01'" })).toEqual([more[1]]);
  });
  writes('change the sort order', async () => {
    const table = await both.newTable(START);
    await both.py.do('sort_by', {
      table,
      columns: [
        ['name', 'identity'],
        ['day', 'day'],
      ],
    });
    const { fields } = defaultSortOrder((await both.open(table)).metadata);
    expect(fields.map((field) => field['source-id'])).toEqual([3, 2]);
    await both.append(table, [row(9, 2, 'z'), row(8, 2, 'y')]);
    await both.expectRows(table, [...START, row(8, 2, 'y'), row(9, 2, 'z')]);
  });
  reads('change the sort order', async () => {
    const table = await both.newTable(START);
    await alterTable(both.lake, both.id(table), { sortBy: [{ source: 'name', direction: 'asc' }] });
    await both.py.do('append', { table, rows: [row(9, 2, 'z'), row(8, 2, 'y')] });
    await both.expectRows(table, [...START, row(8, 2, 'y'), row(9, 2, 'z')]);
  });
  writes('set and remove properties', async () => {
    const table = await both.newTable(START, { old: '1' });
    await both.py.do('set_properties', { table, properties: { owner: 'tests' }, remove: ['old'] });
    expect((await both.open(table)).metadata.properties).toEqual({ owner: 'tests' });
  });

  writes('tags and branches', async () => {
    const table = await both.newTable(START);
    const [first] = await both.snapshots(table);
    await both.py.do('tag', { table, name: 'kept', snapshot: String(first) });
    await both.py.do('branch', { table, name: 'side', snapshot: String(first) });
    await both.py.do('append', { table, rows: [row(5, 2, 'e')], branch: 'side' });
    await both.py.do('delete', { table, where: 'id > 2' });
    await both.expectRows(table, [A, B]);
    await both.expectRows(table, [...START, row(5, 2, 'e')], { ref: 'side' });
    await both.expectRows(table, START, { ref: 'kept' });
    await both.py.do('remove_refs', { table, tag: 'kept', branch: 'side' });
    expect(Object.keys((await both.open(table)).metadata.refs)).toEqual(['main']);
  });
  reads('tags and branches', async () => {
    const table = await both.newTable(START);
    await createRef(both.lake, both.id(table), { name: 'kept' });
    await createRef(both.lake, both.id(table), { name: 'side', type: 'branch' });
    await both.append(table, [row(5, 2, 'e')], 'side');
    await deleteWhere(both.lake, both.engine, both.id(table), { where: 'id > 2' });
    await both.expectRows(table, [A, B]);
    await both.expectRows(table, [...START, row(5, 2, 'e')], { ref: 'side' });
    await both.expectRows(table, START, { ref: 'kept' });
    await removeRef(both.lake, both.id(table), 'kept');
    await expect(both.py.do('rows', { table, ref: 'kept' })).rejects.toThrow('kept');
  });
  reads('time travel', async () => {
    const table = await both.newTable(START);
    const [first] = await both.snapshots(table);
    await both.append(table, [row(5, 2, 'e')]);
    await deleteWhere(both.lake, both.engine, both.id(table), { where: 'id = 1' });
    const { snapshots } = (await both.open(table)).metadata;
    await both.expectRows(table, START, { snapshot: first ?? 0n });
    const asOf = Number(snapshots[1]?.['timestamp-ms']);
    const then = await both.py.do<object[]>('rows', { table, as_of_ms: asOf });
    expect(then).toHaveLength(5);
  });
  writes('roll back', async () => {
    const table = await both.newTable(START);
    const [first] = await both.snapshots(table);
    await both.py.do('tag', { table, name: 'later', snapshot: String(first) });
    await both.py.do('delete', { table, where: 'id = 1' });
    await both.py.do('rollback', { table, snapshot: String(first) });
    await both.expectRows(table, START);
    await both.append(table, [row(5, 2, 'e')]);
    await both.py.do('set_current', { table, ref: 'later' });
    await both.expectRows(table, START);
  });
  reads('roll back', async () => {
    const table = await both.newTable(START);
    const [first] = await both.snapshots(table);
    await both.append(table, [row(5, 2, 'e')]);
    await rollback(both.lake, both.id(table), { to: String(first) });
    await both.expectRows(table, START);
  });
  writes('expire a snapshot', async () => {
    const table = await both.newTable(START);
    const [first] = await both.snapshots(table);
    await both.append(table, [row(5, 2, 'e')]);
    await both.py.do('expire', { table, snapshot: String(first) });
    await both.expectRows(table, [...START, row(5, 2, 'e')]);
    expect(await both.snapshots(table)).toHaveLength(1);
  });

  tableOperations({ both: () => both, writes, reads });
  it('has seen all of its matrix', () => matrix.finish());
});

const NAME_MAPPING = JSON.stringify([
  { 'field-id': 1, names: ['id'] },
  { 'field-id': 2, names: ['day'] },
  { 'field-id': 3, names: ['name'] },
]);
