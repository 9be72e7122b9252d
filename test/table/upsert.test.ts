import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { createRef } from '../../src/table/tag.ts';
import { type UpsertOptions, upsertSelect } from '../../src/table/upsert.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'code', required: false, type: 'string' },
    { id: 3, name: 'day', required: false, type: 'date' },
    { id: 4, name: 'v', required: false, type: 'int' },
  ],
};
const SPEC = buildPartitionSpec(SCHEMA, [{ source: 'day', transform: 'day' }]);
const MODES = ['copy-on-write', 'merge-on-read'] as const;

interface Row {
  readonly id: number;
  readonly code: string;
  readonly day: string | null;
  readonly v: number;
}

const literal = (value: string | null, type: string) =>
  value === null ? `NULL::${type}` : `'${value}'::${type}`;
const sqlOf = (rows: readonly Row[]) =>
  rows.length === 0
    ? "SELECT 1 AS id, '' AS code, NULL::DATE AS day, 1 AS v WHERE false"
    : rows
        .map(
          (r) => `SELECT ${r.id} AS id, '${r.code}' AS code, ${literal(r.day, 'DATE')} AS day, ${r.v} AS v`,
        )
        .join(' UNION ALL ');
const sorted = (rows: readonly object[]) => rows.map((r) => JSON.stringify(r)).sort();
const keyOf = (r: Row) => `${r.id}/${r.code}`;

const row = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  code: fc.constantFrom('a', 'b', 'Ü'),
  day: fc.option(fc.constantFrom('1969-12-31', '2001-02-28')),
  v: fc.integer({ min: 0, max: 99 }),
});
const batch = fc.uniqueArray(row, { selector: keyOf, maxLength: 6 });
const step = fc.record({
  rows: batch,
  mode: fc.constantFrom(...MODES),
  drop: fc.option(fc.integer({ max: 5, min: 0 })),
});

const upsert = (lake: TestLake, rows: readonly Row[], over: Partial<UpsertOptions> = {}) =>
  upsertSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(rows), keys: ['id', 'code'], ...over });

it('holds what a map by key would hold, in either mode, across partitions, now and in every snapshot', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
      const lake = await openTestLake(SCHEMA, SPEC);
      try {
        const model = new Map<string, Row>();
        const past = new Map<bigint, string[]>();
        for (const { rows, mode, drop } of steps) {
          const replaced = rows.filter((r) => model.has(keyOf(r))).length;
          const done = await upsert(lake, rows, { mode });
          expect(done).toMatchObject({ records: rows.length, replacedRecords: replaced, mode });
          for (const r of rows) model.set(keyOf(r), r);
          if (drop !== null) await deleteWhere(lake.context, lake.engine, TABLE, { where: `id = ${drop}` });
          if (drop !== null) for (const r of [...model.values()]) if (r.id === drop) model.delete(keyOf(r));
          const current = lake.catalog.metadata['current-snapshot-id'];
          if (current !== undefined) past.set(current, sorted([...model.values()]));
        }
        expect(sorted(await lake.rows())).toEqual(sorted([...model.values()]));
        for (const [snapshotId, expected] of past)
          expect(sorted(await lake.rows({ snapshotId }))).toEqual(expected);
      } finally {
        await lake.close();
      }
    }),
    { numRuns: 12 },
  );
});

describe('an upsert', () => {
  let lake: TestLake;
  beforeEach(async () => {
    lake = await openTestLake(SCHEMA, SPEC);
  });
  afterEach(() => lake.close());
  const r = (id: number, v: number, day: string | null = '2001-02-28'): Row => ({ id, code: 'a', day, v });
  const values = async () => (await lake.rows({}, 'id, v')).map((one) => Object.values(one));

  it('replaces rows that another writer of the same key added between planning and commit', async () => {
    await upsert(lake, [r(1, 1)]);
    lake.catalog.faults.push({ before: async () => void (await upsert(lake, [r(1, 2, null), r(2, 2)])) }, {});
    const done = await upsert(lake, [r(1, 3), r(3, 3)]);
    expect(done).toMatchObject({ attempts: 2, replacedRecords: 1 });
    expect(await values()).toEqual([
      [1, 3],
      [2, 2],
      [3, 3],
    ]);
  });

  it('is applied once if the answer is lost', async () => {
    await upsert(lake, [r(1, 1)]);
    lake.catalog.faults.push({ outcome: 'lost' });
    await upsert(lake, [r(1, 2)]);
    expect(await values()).toEqual([[1, 2]]);
  });

  it("refuses keys that come twice once they have the column's type, null keys, and columns that cannot be keys", async () => {
    const twice = { sql: `${sqlOf([r(1, 1)])} UNION ALL SELECT 1, 'a', NULL, 2`, keys: ['id', 'code'] };
    await expect(upsertSelect(lake.context, lake.engine, TABLE, twice)).rejects.toMatchObject({
      kind: 'invalid-argument',
      message: expect.stringContaining('{"id":1,"code":"a"} (2 times)'),
    });
    const nulls = { sql: 'SELECT 1 AS id, NULL AS code, NULL::DATE AS day, 1 AS v', keys: ['id', 'code'] };
    await expect(upsertSelect(lake.context, lake.engine, TABLE, nulls)).rejects.toMatchObject({
      message: expect.stringContaining('1 rows have no value for the key'),
    });
    await expect(upsert(lake, [r(1, 1)], { keys: ['idd'] })).rejects.toMatchObject({
      hint: 'did you mean id?',
    });
    await expect(upsert(lake, [r(1, 1)], { keys: [] })).rejects.toMatchObject({ kind: 'invalid-argument' });
    expect(lake.catalog.commits).toBe(0);
  });

  it('reads no file whose metrics hold none of the keys', async () => {
    for (let id = 0; id < 4; id++) await upsert(lake, [r(id * 10, 1), r(id * 10 + 1, 1)]);
    const before = lake.catalog.metadata.snapshots.length;
    const files = await lake.rows({}, 'id');
    expect(files).toHaveLength(8);
    const done = await upsert(lake, [r(10, 2), r(35, 2)], { mode: 'copy-on-write' });
    // The file with 10 and 11 is written anew; 35 lies beyond every file's bounds.
    expect(done.staged?.snapshot.summary).toMatchObject({
      'deleted-data-files': '1',
      'added-data-files': '2',
    });
    expect(lake.catalog.metadata.snapshots).toHaveLength(before + 1);
  });

  it('derived from a snapshot fails once rows of its keys have changed, and not for other rows', async () => {
    const base = (await upsert(lake, [r(1, 1), r(50, 1)])).snapshotId;
    await upsert(lake, [r(90, 1)]);
    await upsert(lake, [r(1, 2)], { basedOn: base });
    await expect(upsert(lake, [r(1, 3)], { basedOn: base })).rejects.toMatchObject({ kind: 'stale-plan' });
    const gone = lake.catalog.metadata;
    lake.catalog.metadata = { ...gone, snapshots: gone.snapshots.slice(1) };
    await expect(upsert(lake, [r(70, 3)], { basedOn: base })).rejects.toMatchObject({
      kind: 'stale-plan',
      message: expect.stringContaining('history'),
    });
  });

  it("follows the table's mode and goes to a branch alone", async () => {
    await appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf([r(1, 1), r(2, 1)]) });
    lake.catalog.metadata = { ...lake.catalog.metadata, properties: { 'write.merge.mode': 'merge-on-read' } };
    await createRef(lake.context, TABLE, { name: 'audit', type: 'branch' });
    const done = await upsert(lake, [r(1, 5)], { branch: 'audit' });
    expect(done.mode).toBe('merge-on-read');
    expect(done.staged?.snapshot.summary).toMatchObject({
      operation: 'overwrite',
      'added-position-deletes': '1',
    });
    expect(await values()).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(await lake.rows({ ref: 'audit' }, 'id, v')).toEqual([
      { id: 1, v: 5 },
      { id: 2, v: 1 },
    ]);
    await expect(upsert(lake, [], {})).resolves.toMatchObject({ snapshotId: null, records: 0 });
  });
});
