import { expect } from 'vitest';
import type { Row } from '../../../src/engine/row-values.ts';
import { alterTable } from '../../../src/table/alter.ts';
import { cherryPick } from '../../../src/table/cherry-pick.ts';
import { fastForward } from '../../../src/table/fast-forward.ts';
import { tableFiles, tableHistory, tablePartitions } from '../../../src/table/history.ts';
import { snapshotManifests } from '../../../src/table/manifests.ts';
import { rollback } from '../../../src/table/rollback.ts';
import { createRef } from '../../../src/table/tag.ts';
import { type OperationTests, ROW1, ROWS } from './operation-tests.ts';

const ROW5 = { id: 5, name: 'e', day: null };
const ROW5_SQL = "(5, 'e', NULL)";

/** Snapshots, branches and tags, and what the tables about a table tell. */
export function testHistory(tests: OperationTests): void {
  const name = (table: string) => tests.name(table);
  const run = (...sql: string[]) => tests.both.run(...sql);
  const snapshots = async (table: string) => tableHistory(await tests.both.table(table));
  const ref = async (table: string, type: 'tag' | 'branch', refName: string) =>
    createRef(tests.both.lake, tests.both.id(table), { type, name: refName });

  /** Both engines show the table so, at a point that Trino and Lakewarden each name in their own way. */
  async function sameAt(
    table: string,
    trino: string,
    lakewarden: string,
    rows: readonly Row[],
  ): Promise<void> {
    expect(await tests.both.trinoRows(`SELECT * FROM ${name(table)} FOR ${trino} ORDER BY 1`), trino).toEqual(
      rows,
    );
    expect(
      await tests.both.lakeRows(`SELECT * FROM ${name(table)} ORDER BY 1`, lakewarden),
      lakewarden,
    ).toEqual(rows);
  }

  for (const own of [true, false]) {
    const see = (row: string, body: () => Promise<void>) =>
      own ? tests.writes(row, body) : tests.reads(row, body);
    const make = async (table: string) => {
      await (own ? tests.trinoMakes(table) : tests.lakewardenMakes(table));
      const [first] = await snapshots(table).then((all) => all.slice(-1));
      if (first === undefined) throw new Error('no snapshot');
      return first;
    };
    const add = (table: string) =>
      own ? run(`INSERT INTO ${name(table)} VALUES ${ROW5_SQL}`) : tests.append(table, ROW5_SQL);
    const suffix = own ? '' : '_here';

    see('time travel by snapshot and time', async () => {
      const table = `travelled${suffix}`;
      const { snapshotId, timestampMs } = await make(table);
      await run(`ALTER TABLE ${name(table)} RENAME COLUMN name TO title`);
      await add(table);
      await sameAt(table, `VERSION AS OF ${snapshotId}`, String(snapshotId), ROWS);
      const time = new Date(timestampMs).toISOString();
      await sameAt(
        table,
        `TIMESTAMP AS OF TIMESTAMP '${time.slice(0, -1).replace('T', ' ')} UTC'`,
        time,
        ROWS,
      );
      const renamed = [...ROWS, ROW5].map((row: Row) => ({
        id: row['id'] ?? null,
        title: row['name'] ?? null,
        day: row['day'] ?? null,
      }));
      const now = String(await tests.head(table));
      await sameAt(table, `VERSION AS OF ${now}`, now, renamed);
    });

    see('time travel by tag and branch', async () => {
      const table = `named${suffix}`;
      await make(table);
      await ref(table, 'tag', 'first');
      await ref(table, 'branch', 'audit');
      await add(table);
      await tests.append(table, "(6, 'f', NULL)", 'audit');
      await sameAt(table, "VERSION AS OF 'first'", 'first', ROWS);
      await sameAt(table, "VERSION AS OF 'audit'", 'audit', [...ROWS, { id: 6, name: 'f', day: null }]);
      await tests.sameTable(table, [...ROWS, ROW5]);
    });
  }

  tests.writes('create a branch', () => run(`CREATE BRANCH audit IN TABLE ${name('named')}`));

  const branchName = (table: string) => name(table).replace(/[^.]+$/, (own) => `"${own}.branch_audit"`);
  tests.writes('a branch by its name', async () => {
    await tests.lakewardenMakes('aside_written', [{ source: 'day', transform: 'month' }]);
    await ref('aside_written', 'branch', 'audit');
    const branch = branchName('aside_written');
    await run(
      `INSERT INTO ${branch} VALUES ${ROW5_SQL}, (6, 'f', DATE '2024-02-01')`,
      `UPDATE ${branch} SET name = 'c' WHERE id = 3`,
      `DELETE FROM ${branch} WHERE id = 1`,
      `MERGE INTO ${branch} t USING (VALUES (4, 'x'), (7, 'g')) s(id, name) ON t.id = s.id
       WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)`,
    );
    await tests.sameTable('aside_written', ROWS);
    const rows = [
      { id: 2, name: 'b', day: '2024-02-29' },
      { id: 3, name: 'c', day: '2024-02-29' },
      ROW5,
      { id: 6, name: 'f', day: '2024-02-01' },
      { id: 7, name: 'g', day: null },
    ];
    expect(await tests.both.trinoRows(`SELECT * FROM ${branch} ORDER BY 1`)).toEqual(rows);
    await sameAt('aside_written', "VERSION AS OF 'audit'", 'audit', rows);
    await fastForward(tests.both.lake, tests.both.id('aside_written'), { to: 'audit', dropSource: true });
    await tests.sameTable('aside_written', rows);
  });
  tests.reads('a branch by its name', async () => {
    await tests.lakewardenMakes('aside_read');
    await ref('aside_read', 'branch', 'audit');
    await tests.append('aside_read', ROW5_SQL, 'audit');
    const rows = await tests.both.trinoRows(`SELECT * FROM ${branchName('aside_read')} ORDER BY 1`);
    expect(rows).toEqual([...ROWS, ROW5]);
    await tests.sameTable('aside_read', ROWS);
  });

  tests.reads('publish a branch', async () => {
    await tests.lakewardenMakes('published');
    await ref('published', 'branch', 'audit');
    await tests.append('published', ROW5_SQL, 'audit');
    await tests.sameTable('published', ROWS);
    await fastForward(tests.both.lake, tests.both.id('published'), { to: 'audit', dropSource: true });
    await tests.sameTable('published', [...ROWS, ROW5]);
  });
  tests.reads('cherry-pick', async () => {
    await tests.lakewardenMakes('picked');
    await ref('picked', 'branch', 'aside');
    await tests.append('picked', ROW5_SQL, 'aside');
    const [aside] = (await snapshots('picked')).slice(-1);
    await tests.append('picked', "(6, 'f', NULL)");
    await cherryPick(tests.both.lake, tests.both.id('picked'), { snapshotId: aside?.snapshotId ?? 0n });
    await tests.sameTable('picked', [...ROWS, ROW5, { id: 6, name: 'f', day: null }]);
  });

  tests.writes('roll back', async () => {
    await tests.trinoMakes('undone');
    const first = await tests.head('undone');
    await run(
      `DELETE FROM ${name('undone')} WHERE id > 1`,
      `ALTER TABLE ${name('undone')} EXECUTE rollback_to_snapshot(${first})`,
    );
    await tests.sameTable('undone', ROWS);
    await tests.append('undone', ROW5_SQL);
    await tests.sameTable('undone', [...ROWS, ROW5]);
  });
  tests.reads('roll back', async () => {
    await tests.lakewardenMakes('undone_here');
    const first = await tests.head('undone_here');
    await run(`DELETE FROM ${name('undone_here')} WHERE id > 1`);
    await tests.sameTable('undone_here', [ROW1]);
    await rollback(tests.both.lake, tests.both.id('undone_here'), { to: String(first) });
    await tests.sameTable('undone_here', ROWS);
    await run(`INSERT INTO ${name('undone_here')} VALUES ${ROW5_SQL}`);
    await tests.sameTable('undone_here', [...ROWS, ROW5]);
  });

  const about = (table: string, what: string) => `"${table.split('.')[0]}"."${table.split('.')[1]}$${what}"`;
  const TOLD = 'told';
  let made: Promise<void> | undefined;
  /** A table of two snapshots, three partitions and a deleted row, with a tag. */
  const told = () => {
    made ??= (async () => {
      await tests.lakewardenMakes(TOLD, [{ source: 'day', transform: 'identity' }]);
      await ref(TOLD, 'tag', 'first');
      await run(`DELETE FROM ${name(TOLD)} WHERE id = 2`);
      await alterTable(tests.both.lake, tests.both.id(TOLD), { setProperties: { 'lake.test': 'yes' } });
    })();
    return made;
  };
  const ask = (what: string, columns: string, order: string) =>
    tests.both.trinoRows(`SELECT ${columns} FROM ${about(name(TOLD), what)} ORDER BY ${order}`);
  const aboutTable = (what: string, body: () => Promise<void>) =>
    tests.reads(what, async () => {
      await told();
      await body();
    });

  aboutTable('$snapshots and $history', async () => {
    const kept = (await snapshots(TOLD)).map(({ snapshotId, parentId, operation }) => ({
      id: String(snapshotId),
      parent: parentId === null ? null : String(parentId),
      operation,
    }));
    expect(kept.map(({ operation }) => operation)).toEqual([
      'append',
      expect.stringMatching(/delete|overwrite/),
    ]);
    const columns = 'CAST(snapshot_id AS varchar) AS id, CAST(parent_id AS varchar) AS parent';
    expect(await ask('snapshots', `${columns}, operation`, 'committed_at')).toEqual(kept);
    expect(await ask('history', `${columns}, is_current_ancestor`, 'made_current_at')).toEqual(
      kept.map(({ id, parent }) => ({ id, parent, is_current_ancestor: true })),
    );
  });
  aboutTable('$files', async () => {
    const kinds = { data: 0, 'position-deletes': 1, 'equality-deletes': 2 };
    const files = (await tableFiles(await tests.both.table(TOLD))).map(
      ({ location, content, records, size }) => ({
        file_path: location,
        content: kinds[content],
        record_count: records,
        file_size_in_bytes: size,
      }),
    );
    expect(files).toHaveLength(4);
    const byPath = <T extends { readonly file_path?: unknown }>(rows: readonly T[]): T[] =>
      [...rows].sort((a, b) => (String(a.file_path) < String(b.file_path) ? -1 : 1));
    expect(byPath(await ask('files', 'file_path, content, record_count, file_size_in_bytes', '1'))).toEqual(
      byPath(files),
    );
  });
  aboutTable('$partitions', async () => {
    const found = (await tablePartitions(await tests.both.table(TOLD))).map(
      ({ partition, records, files }) => ({
        day: partition.replace(/^day=/, ''),
        records,
        files,
      }),
    );
    expect(found.map(({ day }) => day).sort()).toEqual(['1969-12-31', '2024-02-29', 'null']);
    const rows = await ask(
      'partitions',
      "coalesce(CAST(partition.day AS varchar), 'null') AS day, record_count AS records, file_count AS files",
      '1',
    );
    expect(rows).toEqual([...found].sort((a, b) => (a.day < b.day ? -1 : 1)));
  });
  aboutTable('$refs', async () => {
    const { metadata } = await tests.both.table(TOLD);
    const refs = Object.entries(metadata.refs).map(([refName, { type, 'snapshot-id': id }]) => ({
      name: refName,
      type: type.toUpperCase(),
      id: String(id),
    }));
    expect(refs.map((one) => one.name).sort()).toEqual(['first', 'main']);
    const rows = await ask('refs', 'name, type, CAST(snapshot_id AS varchar) AS id', 'name');
    expect(rows).toEqual([...refs].sort((a, b) => (a.name < b.name ? -1 : 1)));
  });
  aboutTable('$manifests', async () => {
    const table = await tests.both.table(TOLD);
    const head = table.metadata.snapshots.find(
      (one) => one['snapshot-id'] === table.metadata['current-snapshot-id'],
    );
    if (head === undefined) throw new Error('no snapshot');
    const manifests = (await snapshotManifests(tests.both.lake.objects, head))
      .map((one) => one.manifestPath)
      .sort();
    const rows = await ask('manifests', 'path', 'path');
    expect(rows.map(({ path }) => path).sort()).toEqual(manifests);
  });
  aboutTable('$properties', async () => {
    expect(await ask('properties', 'value', '1').then((rows) => rows.map(({ value }) => value))).toContain(
      'yes',
    );
  });
  aboutTable('$entries and $all_entries', async () => {
    expect(await ask('entries', 'count(*) AS n', '1')).toEqual([{ n: 4 }]);
    expect(await ask('all_entries', 'count(DISTINCT data_file.file_path) AS n', '1')).toEqual([{ n: 4 }]);
  });
  aboutTable('$path and $partition columns', async () => {
    const files = await tableFiles(await tests.both.table(TOLD));
    const rows = await tests.both.trinoRows(
      `SELECT DISTINCT "$path" AS path, "$partition" AS part FROM ${name(TOLD)} WHERE day IS NOT NULL`,
    );
    const data = files.filter(({ content, partition }) => content === 'data' && partition !== 'day=null');
    const pairs = data.map(({ location, partition }) => `${location} ${partition}`).sort();
    expect(rows.map(({ path, part }) => `${path} ${part}`).sort()).toEqual(pairs);
  });
}
