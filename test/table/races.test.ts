import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { appendSelect } from '../../src/table/append.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import type { RowMode } from '../../src/table/remove-rows.ts';
import { planScan, type TableScan } from '../../src/table/scan.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { openTable, type Table } from '../../src/table/table.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { writeTableSelect } from '../../src/table/write-table.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'p', required: true, type: 'int' },
    { id: 2, name: 'k', required: true, type: 'int' },
    { id: 3, name: 'v', required: false, type: 'string' },
  ],
};
const SPEC = {
  'spec-id': 0,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'p', transform: 'identity' }],
};

type Row = readonly [p: number, k: number, v: string];

/** A change to one partition, told apart by `v`, with what it makes of rows. */
interface Operation {
  readonly name: string;
  run(lake: TestLake, p: number, v: string): Promise<unknown>;
  model(rows: readonly Row[], p: number, v: string): Row[];
}

const sqlOf = (rows: readonly Row[]): string =>
  rows.map(([p, k, v]) => `SELECT ${p} AS p, ${k} AS k, '${v}' AS v`).join(' UNION ALL ');

/** Key 1 is there already, key 7 is new; the keys hold in the whole table. */
const batch = (p: number, v: string): Row[] => [
  [p, 1 + 10 * p, v],
  [p, 7 + 10 * p, v],
];
const upsert = (mode: RowMode): Operation => ({
  name: `upsert ${mode}`,
  run: (lake, p, v) =>
    upsertSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(batch(p, v)), keys: ['k'], mode }),
  model: (rows, p, v) => {
    const keys = batch(p, v).map(([, k]) => k);
    return [...rows.filter(([, k]) => !keys.includes(k)), ...batch(p, v)];
  },
});
const remove = (mode: RowMode): Operation => ({
  name: `delete ${mode}`,
  run: async (lake, p) => {
    lake.catalog.metadata = { ...lake.catalog.metadata, properties: { 'write.delete.mode': mode } };
    return deleteWhere(lake.context, lake.engine, TABLE, { where: `p = ${p} AND k % 10 <> 2` });
  },
  model: (rows, p) => rows.filter(([q, k]) => q !== p || k % 10 === 2),
});

/** Writes a partition's files as one, as a compaction does: only while their rows are those that were read. */
async function compact(lake: TestLake, p: number): Promise<unknown> {
  const filesOf = async (table: Table): Promise<TableScan> => {
    const scan = await planScan(table);
    return { ...scan, tasks: scan.tasks.filter((task) => task.dataFile.partition[0] === p) };
  };
  const keyOf = ({ tasks }: TableScan): string =>
    JSON.stringify(
      tasks.map((task) => [task.dataFile.filePath, task.deletes.map((one) => one.dataFile.filePath)]),
    );
  const table = await openTable(lake.context, TABLE);
  const scan = await filesOf(table);
  await createTableView(lake.engine, '"compacted"', scan);
  const added = await writeTableSelect(table, lake.engine, 'SELECT * FROM "compacted"');
  await dropTableView(lake.engine, '"compacted"');
  const removed = new Set(scan.tasks.map((task) => task.dataFile.filePath));
  const ids = newChange(lake.context.clock);
  return commitWithRetry(lake.context, TABLE, async (current) => {
    const now = await filesOf(current);
    const same = now.tasks.filter((task) => removed.has(task.dataFile.filePath));
    if (keyOf({ ...now, tasks: same }) !== keyOf(scan))
      throw new LakeError('conflict', 'the files have changed');
    return stageSnapshot(current, ids, { operation: 'replace', added, removed });
  });
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'append',
    run: (lake, p, v) => appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf([[p, 3 + 10 * p, v]]) }),
    model: (rows, p, v) => [...rows, [p, 3 + 10 * p, v]],
  },
  {
    name: 'overwrite',
    run: (lake, p, v) =>
      overwriteSelect(lake.context, lake.engine, TABLE, { sql: sqlOf([[p, 1 + 10 * p, v]]) }),
    model: (rows, p, v) => [...rows.filter(([q]) => q !== p), [p, 1 + 10 * p, v]],
  },
  remove('merge-on-read'),
  remove('copy-on-write'),
  upsert('merge-on-read'),
  upsert('copy-on-write'),
  { name: 'compaction', run: compact, model: (rows) => [...rows] },
];

const START: readonly Row[] = [0, 1].flatMap((p) => [1, 2, 3].map((n): Row => [p, n + 10 * p, 'old']));
const sorted = (rows: readonly Row[]): string[] => rows.map((row) => row.join('|')).sort();

let lake: TestLake;
let start: TableMetadata;
beforeAll(async () => {
  lake = await openTestLake(SCHEMA, SPEC);
  await appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(START.filter(([, k]) => k % 10 < 3)) });
  await appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(START.filter(([, k]) => k % 10 === 3)) });
  start = lake.catalog.metadata;
});
afterAll(() => lake.close());

async function currentRows(): Promise<string[]> {
  const rows = await lake.rows();
  return rows.map((row) => Object.values(row).join('|')).sort();
}

const PAIRS = OPERATIONS.flatMap((first) =>
  OPERATIONS.flatMap((second) =>
    [0, 1].map((other) => [first.name, second.name, other, first, second] as const),
  ),
);

it('leaves rows that others appended meanwhile where deletes are under snapshot isolation, and only those', async () => {
  const isolated = { 'write.delete.isolation-level': 'snapshot' };
  const append = OPERATIONS[0]!;
  for (const [properties, left] of [
    [{}, 1],
    [isolated, 2],
  ] as const) {
    lake.catalog.metadata = { ...start, properties };
    lake.catalog.faults.push({ before: async () => void (await append.run(lake, 0, 'came')) });
    const done = await deleteWhere(lake.context, lake.engine, TABLE, { where: 'p = 0 AND k <> 2' });
    expect(done.attempts).toBe(2);
    const rows = (await currentRows()).filter((row) => row.startsWith('0|'));
    expect(rows, JSON.stringify(properties)).toHaveLength(left);
  }
});

describe('two changes at the same time end as one after the other, or one fails with a conflict', () => {
  it.each(PAIRS)(
    '%s on partition 0 while %s on partition %i commits',
    async (_a, _b, other, first, second) => {
      lake.catalog.metadata = start;
      lake.catalog.faults.length = 0;
      lake.catalog.faults.push({ before: async () => void (await second.run(lake, other, 'second')) });
      const failed = await first.run(lake, 0, 'first').then(
        () => false,
        (error: unknown) => {
          if (!isKind(error, 'conflict', 'stale-plan')) throw error;
          return true;
        },
      );
      const [a, b] = [
        (rows: readonly Row[]) => first.model(rows, 0, 'first'),
        (rows: readonly Row[]) => second.model(rows, other, 'second'),
      ];
      const allowed = failed ? [b(START)] : [b(a(START)), a(b(START))];
      expect(allowed.map(sorted)).toContainEqual(await currentRows());
      expect(lake.catalog.faults).toHaveLength(0);
    },
  );
});
