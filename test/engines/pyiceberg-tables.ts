import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { commitWithRetry } from '../../src/table/commit.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { tableFiles, tableHistory, tablePartitions } from '../../src/table/history.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { createRef } from '../../src/table/tag.ts';
import { type ExactRow, exactRows, inOrder } from './exact-rows.ts';
import { type PyIcebergLake, row, SCHEMA } from './pyiceberg-lake.ts';
import { TableMover } from './table-mover.ts';

type Operation = (name: string, body: () => Promise<void>) => void;
type Points = Readonly<Record<string, readonly ExactRow[]>>;

const START = [row(1, 0, 'a'), row(2, 0, null), row(3, 1, 'c'), row(4, 1, 'd')];
const DAY_MS = 86_400_000;

/** What is done to tables as a whole. */
export function tableOperations(suite: {
  readonly both: () => PyIcebergLake;
  readonly writes: Operation;
  readonly reads: Operation;
}): void {
  const { writes, reads } = suite;

  writes('create a table with rows in one commit', async () => {
    const both = suite.both();
    const table = both.newName();
    const sort = {
      'order-id': 1,
      fields: [{ 'source-id': 1, transform: 'identity', direction: 'desc', 'null-order': 'nulls-last' }],
    };
    await both.py.do('create', { table, schema: SCHEMA, sort, properties: { owner: 'tests' }, rows: START });
    await both.expectRows(table, START);
    const { metadata } = await both.open(table);
    expect(metadata.properties['owner']).toBe('tests');
    expect(metadata.snapshots).toHaveLength(1);
  });
  reads('create a table', async () => {
    const both = suite.both();
    const table = both.newName();
    const { namespace, name } = both.id(table);
    await both.lake.catalog.createTable(namespace, { name, schema: SCHEMA });
    await both.py.do('append', { table, rows: START });
    await both.expectRows(table, START);
  });
  for (const version of ['1', '3']) {
    writes(`append to format v${version}`, async () => {
      const both = suite.both();
      await both.expectRows(await both.newTable(START, { 'format-version': version }), START);
    });
  }
  writes('rename, drop, register and purge a table', async () => {
    const both = suite.both();
    const table = await both.newTable(START);
    const to = both.newName();
    await both.py.do('rename', { table, to });
    await both.expectRows(to, START);
    const metadata = await both.py.do('metadata_location', { table: to });
    await both.py.do('drop', { table: to });
    expect(await both.py.do('exists', { table: to })).toBe(false);
    await both.py.do('register', { table, metadata });
    await both.expectRows(table, START);
    await both.py.do('drop', { table, purge: true });
    await expect(both.open(table)).rejects.toMatchObject({ kind: 'not-found' });
  });
  writes('create and drop a view', async () => {
    const both = suite.both();
    const view = both.newName();
    const sql = `SELECT count(*) AS n FROM ${both.space}.t1`;
    await both.py.do('create_view', { view, schema: SCHEMA, sql });
    expect(await both.py.do('view_sql', { view })).toEqual([sql, [view]]);
    expect(await both.py.do('drop_view', { view })).toBe(false);
  });

  reads('metadata tables', async () => {
    const both = suite.both();
    const table = await both.newTable(START);
    await both.append(table, [row(5, 2, 'e')]);
    await deleteWhere(both.lake, both.engine, both.id(table), { where: 'id = 3' });
    await createRef(both.lake, both.id(table), { name: 'kept' });
    await expectMetadataTables(both, table);
  });
  reads('equality deletes', async () => {
    const both = suite.both();
    const table = await both.newTable(START);
    await deleteEqual(both, table, 3);
    expect(inOrder(await exactRows(both.lake, table))).toEqual(inOrder(START.filter(({ id }) => id !== '3')));
    await both.py.do('rows', { table });
  });

  reads('moves to warm and cold', async () => {
    const both = suite.both();
    const table = await both.newTable(START);
    await both.append(table, [row(5, 70, 'e'), row(6, 70, 'f'), row(7, 105, 'g')]);
    await deleteWhere(both.lake, both.engine, both.id(table), { where: 'id IN (3, 5)' });
    await createRef(both.lake, both.id(table), { name: 'kept' });
    await both.append(table, [row(8, 0, 'late')]);
    const before = await both.py.do<Points>('all_points', { table });

    const mover = new TableMover(both.lake, both.id(table), { graceMs: 0 });
    const now = Date.UTC(2001, 0, 1) + 110 * DAY_MS;
    await mover.byPolicy(now, { warm: '30d', cold: '90d' });
    await expect.poll(() => mover.isSwept()).toBe(true);
    const places = (await tableFiles(await both.open(table))).map(({ location }) => location.split('/')[2]);
    expect(new Set(places)).toEqual(new Set(['lake-hot', 'lake-warm', 'lake-cold']));

    await both.py.do('delete', { table, where: 'id = 1' });
    const after = await both.py.do<Points>('all_points', { table });
    for (const [point, rows] of Object.entries(before))
      if (point !== 'main') expect(inOrder(after[point] ?? []), point).toEqual(inOrder(rows));
    const left = [row(2, 0, null), row(4, 1, 'd'), row(6, 70, 'f'), row(7, 105, 'g'), row(8, 0, 'late')];
    await both.expectRows(table, left);
    await both.py.do('upsert', { table, rows: [row(2, 0, 'b')], keys: ['id'] });
    await both.py.do('overwrite_partitions', { table, rows: [row(9, 1, 'n')] });
    await both.expectRows(table, [row(2, 0, 'b'), row(9, 1, 'n'), ...left.slice(2)]);
    await expectMetadataTables(both, table);
  });
  writes('append and delete with a table loaded before a move', async () => {
    const both = suite.both();
    const table = await both.newTable(START);
    await both.py.do('hold', { table });
    // The old objects stay for the grace, as such a writer still reads them.
    const mover = new TableMover(both.lake, both.id(table), { graceMs: 3_600_000 });
    await mover.byPolicy(Date.UTC(2001, 0, 1) + 110 * DAY_MS, { warm: '30d', cold: '90d' });
    expect(mover.swaps).toBe(1);
    await both.py.do('append', { table, rows: [row(5, 1, 'e')] });
    await both.py.do('delete', { table, where: 'id = 1' });
    await both.py.do('let_go', { table });
    await both.expectRows(table, [...START.slice(1), row(5, 1, 'e')]);
  });
}

/** PyIceberg's tables on a table's metadata say what Lakewarden's commands say. */
async function expectMetadataTables(both: PyIcebergLake, table: string): Promise<void> {
  const inspect = (what: string) => both.py.do<Record<string, unknown>[]>('inspect', { table, what });
  const opened = await both.open(table);
  const sorted = (values: readonly unknown[]) => values.map(String).sort();
  const history = tableHistory(opened);
  expect((await inspect('snapshots')).map((one) => one['operation']).sort()).toEqual(
    history.map(({ operation }) => operation).sort(),
  );
  expect((await inspect('history')).length).toBe(opened.metadata['snapshot-log'].length);
  expect(sorted((await inspect('refs')).map((one) => one['name']))).toEqual(
    Object.keys(opened.metadata.refs).sort(),
  );
  const files = await tableFiles(opened);
  const paths = (content: (is: string) => boolean) =>
    files
      .filter((file) => content(file.content))
      .map((file) => file.location)
      .sort();
  for (const [what, fits] of [
    ['files', () => true],
    ['data_files', (is: string) => is === 'data'],
    ['delete_files', (is: string) => is !== 'data'],
  ] as const)
    expect(sorted((await inspect(what)).map((one) => one['file_path'])), what).toEqual(paths(fits));
  const partitions = await inspect('partitions');
  const own = await tablePartitions(opened);
  expect(partitions.map((one) => [one['record_count'], one['file_count']]).sort()).toEqual(
    own.map(({ records, files: count }) => [records, count]).sort(),
  );
  expect((await inspect('entries')).length).toBeGreaterThanOrEqual(files.length);
  for (const what of ['manifests', 'all_manifests', 'all_files', 'all_data_files', 'metadata_log_entries'])
    expect((await inspect(what)).length, what).toBeGreaterThan(0);
}

/** As some streaming engines delete rows: by a value, for all files before. */
async function deleteEqual(both: PyIcebergLake, name: string, id: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-equality-'));
  try {
    const local = join(folder, 'delete.parquet');
    await both.engine.run(
      `COPY (SELECT CAST(${id} AS BIGINT) AS id) TO '${local}' (FORMAT parquet, FIELD_IDS {id: 1})`,
    );
    const bytes = await readFile(local);
    const { metadata } = await both.open(name);
    const filePath = `${metadata.location}/data/equal-${id}.parquet`;
    await both.lake.objects.put(filePath, bytes);
    const dataFile = {
      content: 'equality-deletes' as const,
      filePath,
      fileFormat: 'PARQUET',
      partition: [Number(row(0, 1, null)['day'])],
      recordCount: 1,
      fileSizeInBytes: bytes.length,
      equalityIds: [1],
    };
    const added = [{ specId: metadata['default-spec-id'], dataFile }];
    const ids = newChange(both.lake.clock);
    await commitWithRetry(both.lake, both.id(name), (base) =>
      stageSnapshot(base, ids, { operation: 'delete', added }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
