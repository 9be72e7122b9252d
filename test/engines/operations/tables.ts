import { expect } from 'vitest';
import { tableFiles, tableHistory } from '../../../src/table/history.ts';
import { lake } from '../../../stack/catalog.ts';
import { testedStack } from '../stack.ts';
import { TableMover } from '../table-mover.ts';
import { TrinoStatement } from '../trino-statement.ts';
import { type OperationTests, ROWS } from './operation-tests.ts';

const BY_DAY = [{ source: 'day', transform: 'identity' }];
const HOUR_MS = 3_600_000;

/** Whole tables and views: named, dropped, kept small, moved. */
export function testTables(tests: OperationTests): void {
  const name = (table: string) => tests.name(table);
  const run = (...sql: string[]) => tests.both.run(...sql);
  const exists = (table: string) => tests.both.lake.catalog.tableExists(tests.both.id(table));

  tests.writes('rename table', async () => {
    await tests.trinoMakes('once');
    await run(`ALTER TABLE ${name('once')} RENAME TO ${name('later')}`);
    await tests.sameTable('later', ROWS);
    expect(await exists('once')).toBe(false);
  });
  tests.writes('drop table', async () => {
    await tests.trinoMakes('gone');
    await run(`DROP TABLE ${name('gone')}`);
    expect(await exists('gone')).toBe(false);
  });
  tests.reads('drop table', async () => {
    await tests.lakewardenMakes('gone_here');
    await tests.both.lake.catalog.dropTable(tests.both.id('gone_here'));
    await expect(tests.both.trinoRows(`SELECT * FROM ${name('gone_here')}`)).rejects.toThrow(
      'does not exist',
    );
    await tests.lakewardenMakes('gone_here', BY_DAY);
    await tests.sameTable('gone_here', ROWS);
  });
  tests.writes('table properties', async () => {
    await tests.trinoMakes('set');
    await run(
      `ALTER TABLE ${name('set')} SET PROPERTIES object_store_layout_enabled = true`,
      `INSERT INTO ${name('set')} VALUES (5, 'e', NULL)`,
    );
    const { metadata } = await tests.both.table('set');
    expect(metadata.properties).toMatchObject({ 'write.object-storage.enabled': 'true' });
    await tests.sameTable('set', [...ROWS, { id: 5, name: 'e', day: null }]);
  });

  tests.writes('create, replace, read and drop a view', async () => {
    await tests.lakewardenMakes('viewed');
    const view = name('seen');
    const read = () => tests.both.trinoRows(`SELECT * FROM ${view} ORDER BY 1`);
    await run(
      `CREATE VIEW ${view} AS SELECT id, upper(name) AS loud FROM ${name('viewed')} WHERE day IS NOT NULL`,
    );
    expect(await read()).toEqual([
      { id: 1, loud: 'A' },
      { id: 2, loud: 'B' },
      { id: 3, loud: null },
    ]);
    await run(`CREATE OR REPLACE VIEW ${view} AS SELECT count(*) AS n FROM ${name('viewed')}`);
    expect(await read()).toEqual([{ n: 4 }]);
    await expect(tests.both.lakeRows(`SELECT * FROM ${view}`)).rejects.toThrow('There is no table');
    await run(`DROP VIEW ${view}`);
    await expect(read()).rejects.toThrow('does not exist');
    return {
      partly:
        'the view is kept in the catalog and read by engines of its dialect; `lake sql` reads tables alone.',
    };
  });

  tests.writes('unregister table', async () => {
    await tests.trinoMakes('let_go');
    await run(`CALL lake.system.unregister_table('${tests.both.namespace}', 'let_go')`);
    expect(await exists('let_go')).toBe(false);
  });
  tests.writes('register table', async () => {
    await tests.trinoMakes('taken_in');
    const { metadata } = await tests.both.table('taken_in');
    await run(
      `CALL lake.system.unregister_table('${tests.both.namespace}', 'taken_in')`,
      `CALL lake.system.register_table('${tests.both.namespace}', 'taken_in', '${metadata.location}')`,
    );
    await tests.sameTable('taken_in', ROWS);
  });

  const small = async (table: string) => {
    await tests.trinoMakes(table);
    await tests.append(table, "(5, 'e', NULL)");
    await run(`INSERT INTO ${name(table)} VALUES (6, 'f', NULL)`, `DELETE FROM ${name(table)} WHERE id = 1`);
    return [...ROWS.slice(1), { id: 5, name: 'e', day: null }, { id: 6, name: 'f', day: null }];
  };
  tests.writes('optimize', async () => {
    const rows = await small('packed');
    await run(`ALTER TABLE ${name('packed')} EXECUTE optimize`);
    const files = await tableFiles(await tests.both.table('packed'));
    expect(files.map(({ content, records }) => ({ content, records }))).toEqual([
      { content: 'data', records: rows.length },
    ]);
    await tests.sameTable('packed', rows);
    await tests.append('packed', "(7, 'g', NULL)");
    await tests.sameTable('packed', [...rows, { id: 7, name: 'g', day: null }]);
  });
  tests.writes('optimize_manifests', async () => {
    const rows = await small('bundled');
    await run(`ALTER TABLE ${name('bundled')} EXECUTE optimize_manifests`);
    await tests.sameTable('bundled', rows);
  });
  // Trino keeps the last seven days unless a session says otherwise.
  const maintain = async (table: string, procedure: string) => {
    const sql = `ALTER TABLE ${name(table)} EXECUTE ${procedure}(retention_threshold => '0s')`;
    const statement = await TrinoStatement.start(sql, {
      'X-Trino-Session': `lake.${procedure}_min_retention=0s`,
    });
    await statement.rest();
  };
  tests.writes('expire_snapshots', async () => {
    const rows = await small('forgotten');
    expect(tableHistory(await tests.both.table('forgotten')).length).toBeGreaterThan(1);
    await maintain('forgotten', 'expire_snapshots');
    expect(tableHistory(await tests.both.table('forgotten'))).toHaveLength(1);
    await tests.sameTable('forgotten', rows);
  });
  tests.writes('remove_orphan_files', async () => {
    const rows = await small('swept');
    const { metadata } = await tests.both.table('swept');
    const { objects } = tests.both.lake;
    const stray = `${metadata.location}/data/stray.parquet`;
    await objects.put(stray, new Uint8Array([1]));
    await maintain('swept', 'remove_orphan_files');
    await expect(objects.head(stray)).rejects.toThrow();
    await tests.sameTable('swept', rows);
    const past = tableHistory(await tests.both.table('swept'));
    const first = past.find(({ summary }) => summary['total-records'] === '4')?.snapshotId;
    expect(await tests.both.lakeRows(`SELECT * FROM ${name('swept')} ORDER BY 1`, String(first))).toEqual(
      ROWS,
    );
  });
  tests.reads('expire_snapshots', async () => {
    const rows = await small('forgotten_here');
    const words = ['expire', name('forgotten_here'), '--now', '2100-01-01', '--yes', '-o', 'json'];
    await lake(testedStack(), words);
    expect(tableHistory(await tests.both.table('forgotten_here'))).toHaveLength(1);
    await tests.sameTable('forgotten_here', rows);
  });
  tests.writes('analyze', async () => {
    await tests.trinoMakes('counted');
    await run(`ANALYZE ${name('counted')}`);
    const stats = await tests.both.trinoRows(`SHOW STATS FOR ${name('counted')}`);
    expect(stats.find(({ column_name }) => column_name === 'id')).toMatchObject({ distinct_values_count: 4 });
    await tests.append('counted', "(5, 'e', NULL)");
    await tests.sameTable('counted', [...ROWS, { id: 5, name: 'e', day: null }]);
  });

  tests.reads('moves between tiers', async () => {
    await tests.lakewardenMakes('tiered', BY_DAY);
    await run(`DELETE FROM ${name('tiered')} WHERE id = 2`);
    const rows = ROWS.filter(({ id }) => id !== 2);
    const mover = new TableMover(tests.both.lake, tests.both.id('tiered'), { graceMs: HOUR_MS });
    await mover.byPolicy(Date.UTC(2024, 5, 1), { warm: '30d', cold: '365d' });
    const places = async () =>
      new Set(
        (await tableFiles(await tests.both.table('tiered'))).map(({ location }) => location.split('/')[2]),
      );
    expect(await places()).toEqual(new Set(['lake-hot', 'lake-warm', 'lake-cold']));
    await tests.sameTable('tiered', rows);
    await run(
      `INSERT INTO ${name('tiered')} VALUES (5, 'e', DATE '1969-12-31')`,
      `DELETE FROM ${name('tiered')} WHERE id = 1`,
    );
    const changed = [...rows.filter(({ id }) => id !== 1), { id: 5, name: 'e', day: '1969-12-31' }];
    await tests.sameTable('tiered', changed);
    await mover.restore('1969-12-31..1970-01-01');
    await tests.sameTable('tiered', changed);
  });
}
