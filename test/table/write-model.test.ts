import fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { tableFiles, tablePartitions } from '../../src/table/history.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { openTable } from '../../src/table/table.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'k', required: false, type: 'int' },
    { id: 3, name: 'day', required: false, type: 'date' },
  ],
};
const SPEC = buildPartitionSpec(SCHEMA, [{ source: 'day', transform: 'day' }]);

interface Row {
  readonly id: number;
  readonly k: number | null;
  readonly day: string | null;
}

const row = fc.record({
  id: fc.integer({ min: 0, max: 9 }),
  k: fc.option(fc.integer({ min: 0, max: 3 })),
  day: fc.option(fc.constantFrom('1969-12-31', '1970-01-01', '2001-02-28')),
});
const rows = fc.array(row, { minLength: 1, maxLength: 12 });

const PREDICATES: readonly (readonly [string, (row: Row) => boolean])[] = [
  ["day = DATE '1970-01-01'", (r) => r.day === '1970-01-01'],
  [
    "day < DATE '2001-01-01' AND k > 1",
    (r) => r.day !== null && r.day < '2001-01-01' && r.k !== null && r.k > 1,
  ],
  ['NOT (k = 2)', (r) => r.k !== null && r.k !== 2],
  ['k IS NULL OR id IN (1, 3)', (r) => r.k === null || r.id === 1 || r.id === 3],
  ['id % 3 = 0', (r) => r.id % 3 === 0],
  ['day IS NULL -- all of a partition', (r) => r.day === null],
  ['id BETWEEN 2 AND 4', (r) => r.id >= 2 && r.id <= 4],
];

const step = fc.oneof(
  fc.record({ op: fc.constant('append' as const), rows }),
  fc.record({ op: fc.constant('overwrite' as const), rows }),
  fc.record({ op: fc.constant('delete' as const), predicate: fc.constantFrom(...PREDICATES) }),
);

const literal = (value: string | number | null, type: string) =>
  value === null ? `NULL::${type}` : `'${value}'::${type}`;
const sqlOf = (some: readonly Row[]) =>
  some
    .map((r) => `SELECT ${r.id} AS id, ${literal(r.k, 'INT')} AS k, ${literal(r.day, 'DATE')} AS day`)
    .join(' UNION ALL ');
const sorted = (some: readonly object[]) => some.map((r) => JSON.stringify(r)).sort();

async function applyStep(
  lake: TestLake,
  model: readonly Row[],
  taken: typeof step extends fc.Arbitrary<infer S> ? S : never,
): Promise<Row[]> {
  if (taken.op === 'append') {
    await appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(taken.rows) });
    return [...model, ...taken.rows];
  }
  if (taken.op === 'overwrite') {
    await overwriteSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(taken.rows) });
    const days = new Set<string | null>(taken.rows.map((r) => r.day));
    return [...model.filter((r) => !days.has(r.day)), ...taken.rows];
  }
  const [where, goes] = taken.predicate;
  const result = await deleteWhere(lake.context, lake.engine, TABLE, { where });
  const left = model.filter((r) => !goes(r));
  expect(result.deletedRecords, where).toBe(model.length - left.length);
  expect(result.snapshotId === null, where).toBe(left.length === model.length);
  return left;
}

it('holds what a list of rows would hold after any appends, overwrites and deletes, now and in every snapshot', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
      const lake = await openTestLake(SCHEMA, SPEC);
      try {
        let model: Row[] = [];
        const past = new Map<bigint, string[]>();
        for (const taken of steps) {
          model = await applyStep(lake, model, taken);
          const current = lake.catalog.metadata['current-snapshot-id'];
          if (current !== undefined) past.set(current, sorted(model));
        }
        expect(sorted(await lake.rows())).toEqual(sorted(model));
        for (const [snapshotId, expected] of past)
          expect(sorted(await lake.rows({ snapshotId }))).toEqual(expected);
        const totals = lake.catalog.metadata.snapshots.at(-1)?.summary;
        const files = await tableFiles(await openTable(lake.context, TABLE));
        const data = files.filter((file) => file.content === 'data');
        if (totals) expect(totals['total-data-files']).toBe(String(data.length));
        if (totals)
          expect(totals['total-records']).toBe(String(data.reduce((sum, file) => sum + file.records, 0)));
      } finally {
        await lake.close();
      }
    }),
    { numRuns: 12 },
  );
});

it('deletes whole partitions by metadata alone, and branches apart from main', async () => {
  const lake = await openTestLake(SCHEMA, SPEC);
  try {
    const days = [1, 2, 3].map((d) => ({ id: d, k: null, day: `1970-01-0${d}` }));
    await appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(days) });
    await appendSelect(lake.context, lake.engine, TABLE, {
      sql: sqlOf([{ id: 9, k: 1, day: null }]),
      branch: 'run_1',
      properties: { 'lake.run': '1' },
    });
    expect(await lake.rows({ ref: 'run_1' })).toHaveLength(4);
    expect(await lake.rows()).toHaveLength(3);
    const result = await deleteWhere(lake.context, lake.engine, TABLE, { where: "day >= DATE '1970-01-02'" });
    expect(result).toMatchObject({ deletedRecords: 2, removedFiles: 2, deleteFiles: 0 });
    const table = await openTable(lake.context, TABLE);
    expect(await tablePartitions(table)).toMatchObject([
      { partition: 'day_day=1970-01-01', files: 1, records: 1, deleteFiles: 0 },
    ]);
    await expect(deleteWhere(lake.context, lake.engine, TABLE, { where: 'dya = 1' })).rejects.toMatchObject({
      kind: 'usage',
    });
  } finally {
    await lake.close();
  }
});
