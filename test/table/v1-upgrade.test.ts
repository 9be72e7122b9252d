import { afterEach, expect, it } from 'vitest';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { alterTable } from '../../src/table/alter.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { liveEntries } from '../../src/table/manifests.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { canonicalRows } from './canonical-rows.ts';
import { type LocalFixture, localFixture } from './local-fixture.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

let lake: TestLake;
let golden: LocalFixture;
async function open(withoutCounts: boolean): Promise<void> {
  golden = await localFixture('v1_days', { withoutCounts });
  lake = await openTestLake({ type: 'struct', 'schema-id': 0, fields: [] });
  lake.catalog.metadata = golden.metadata;
}
afterEach(async () => {
  await lake.close();
  await golden.remove();
});

const upgrade = () => alterTable(lake.context, TABLE, { formatVersion: 2 });
const ids = async () => (await lake.rows({}, 'id')).map((row) => Number(Object.values(row)[0]));
const append = (id: number, day: string) =>
  appendSelect(lake.context, lake.engine, TABLE, {
    sql: `SELECT ${id} AS id, TIMESTAMPTZ '${day} 10:00:00+00' AS tstz`,
  });

async function expectOldSnapshots(): Promise<void> {
  for (const [key, expected] of Object.entries(golden.expected)) {
    if (!/^\d+$/.test(key)) continue;
    const rows = await lake.rows({ snapshotId: BigInt(key) });
    expect(canonicalRows(rows as object[]), key).toEqual(canonicalRows(expected));
  }
}

it('refuses to write to a v1 table, and upgrades it in one commit that may be repeated', async () => {
  await open(false);
  await expect(append(900, '1970-01-01')).rejects.toMatchObject({
    kind: 'unsupported',
    hint: expect.stringContaining('--upgrade-format 2'),
  });
  await upgrade();
  expect(lake.catalog.metadata['format-version']).toBe(2);
  expect(await upgrade()).toMatchObject({ staged: null });
  await expect(alterTable(lake.context, TABLE, { formatVersion: 3 })).rejects.toMatchObject({
    kind: 'unsupported',
  });
  await expect(alterTable(lake.context, TABLE, { formatVersion: 1 })).rejects.toMatchObject({
    kind: 'invalid-argument',
  });
});

it.each([
  ['', false],
  [' of lists without counts', true],
])(
  'appends, upserts, deletes and overwrites beside v1 manifests%s, and every old snapshot reads as before',
  async (_, withoutCounts) => {
    await open(withoutCounts);
    await upgrade();
    await expectOldSnapshots();
    const before = await ids();
    await append(900, '1970-01-01');
    expect(await ids()).toEqual([...before, 900].sort((a, b) => a - b));
    const numbers = new Set<number>();
    for await (const { entry } of liveEntries(lake.context.objects, lake.catalog.metadata.snapshots.at(-1)!))
      numbers.add(entry.sequenceNumber);
    expect([...numbers].sort()).toEqual([0, 1]);
    const first = before[0]!;
    for (const mode of ['merge-on-read', 'copy-on-write'] as const) {
      const done = await upsertSelect(lake.context, lake.engine, TABLE, {
        sql: `SELECT ${first} AS id, TIMESTAMPTZ '1999-01-01 00:00:00+00' AS tstz, '${mode}' AS s`,
        keys: ['id'],
        mode,
      });
      expect(done.replacedRecords, mode).toBe(1);
    }
    expect(await lake.rows({}, `id, s`)).toContainEqual({ id: first, s: 'copy-on-write' });
    await deleteWhere(lake.context, lake.engine, TABLE, { where: `id = ${before[1]}` });
    expect(await ids()).toEqual([first, ...before.slice(2), 900].sort((a, b) => a - b));
    await overwriteSelect(lake.context, lake.engine, TABLE, {
      sql: "SELECT 1000 AS id, TIMESTAMPTZ '1970-01-01 10:00:00+00' AS tstz",
    });
    const left = await ids();
    expect(left).toContain(1000);
    expect(left).not.toContain(900);
    await expectOldSnapshots();
    const text = serializeTableMetadata(lake.catalog.metadata);
    expect(parseTableMetadata(text)).toEqual(lake.catalog.metadata);
  },
);
