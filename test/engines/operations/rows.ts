import { expect } from 'vitest';
import { MAIN_BRANCH } from '../../../src/iceberg/refs.ts';
import { deleteWhere } from '../../../src/table/delete.ts';
import { tableFiles } from '../../../src/table/history.ts';
import { overwriteSelect } from '../../../src/table/overwrite.ts';
import { upsertSelect } from '../../../src/table/upsert.ts';
import { type OperationTests, ROW1, ROW2, ROW3, ROW4, ROWS } from './operation-tests.ts';

const BY_DAY = [{ source: 'day', transform: 'identity' }];
const ROW5 = { id: 5, name: 'e', day: '9999-12-31' };

/** How many files of each content there are. */
async function contents(tests: OperationTests, table: string): Promise<Record<string, number>> {
  const files = Map.groupBy(await tableFiles(await tests.both.table(table)), ({ content }) => content);
  return Object.fromEntries([...files].map(([content, found]) => [content, found.length]));
}

/** Tables made, and rows added, changed and taken away. */
export function testRows(tests: OperationTests): void {
  const name = (table: string) => tests.name(table);
  const run = (...sql: string[]) => tests.both.run(...sql);

  tests.writes('create table, insert', async () => {
    await tests.trinoMakes('made');
    await tests.sameTable('made', ROWS);
  });
  tests.reads('create table, insert', async () => {
    await tests.lakewardenMakes('made_here');
    await tests.sameTable('made_here', ROWS);
  });

  tests.writes('create table as select', async () => {
    await run(
      `CREATE TABLE ${name('selected')} AS SELECT id * 10 AS id, day FROM (VALUES (1, DATE '2001-01-05'), (2, NULL)) t(id, day)`,
    );
    await tests.sameTable('selected', [
      { id: 10, day: '2001-01-05' },
      { id: 20, day: null },
    ]);
  });

  tests.writes('create or replace table', async () => {
    await tests.trinoMakes('replaced');
    const before = await tests.head('replaced');
    await run(`CREATE OR REPLACE TABLE ${name('replaced')} AS SELECT 7 AS n`);
    await tests.sameTable('replaced', [{ n: 7 }]);
    const old = await tests.both.lakeRows(`SELECT * FROM ${name('replaced')} ORDER BY 1`, String(before));
    expect(old).toEqual(ROWS);
  });

  tests.writes('merge', async () => {
    await tests.trinoMakes('merged', "partitioning = ARRAY['day']");
    await run(`MERGE INTO ${name('merged')} t USING (VALUES (1, 'x', DATE '2024-02-29'), (2, NULL, NULL), (5, 'e', DATE '9999-12-31')) s(id, name, day)
      ON t.id = s.id
      WHEN MATCHED AND s.day IS NULL THEN DELETE
      WHEN MATCHED THEN UPDATE SET name = s.name, day = s.day
      WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, s.day)`);
    await tests.sameTable('merged', [{ id: 1, name: 'x', day: '2024-02-29' }, ROW3, ROW4, ROW5]);
  });
  tests.reads('merge', async () => {
    for (const mode of ['copy-on-write', 'merge-on-read'] as const) {
      const table = `upserted_${mode.replaceAll('-', '_')}`;
      await tests.lakewardenMakes(table, BY_DAY);
      const { lake, engine } = tests.both;
      const sql =
        "SELECT * FROM (VALUES (1::BIGINT, 'x', DATE '2024-02-29'), (5, 'e', DATE '9999-12-31')) t(id, name, day)";
      await upsertSelect(lake, engine, tests.both.id(table), {
        branch: MAIN_BRANCH,
        sql,
        keys: ['id'],
        mode,
      });
      await tests.sameTable(table, [{ id: 1, name: 'x', day: '2024-02-29' }, ROW2, ROW3, ROW4, ROW5]);
    }
  });

  tests.writes('update', async () => {
    await tests.trinoMakes('updated');
    await run(`UPDATE ${name('updated')} SET name = coalesce(name, '') || '!' WHERE day = DATE '2024-02-29'`);
    await tests.sameTable('updated', [ROW1, { ...ROW2, name: 'b!' }, { ...ROW3, name: '!' }, ROW4]);
  });

  tests.writes('delete rows', async () => {
    await tests.trinoMakes('thinned');
    await run(`DELETE FROM ${name('thinned')} WHERE name = 'a' OR day IS NULL`);
    expect(await contents(tests, 'thinned')).toEqual({ data: 1, 'position-deletes': 1 });
    await tests.sameTable('thinned', [ROW2, ROW3]);
    // Lakewarden's own deletes come on top of Trino's.
    const { lake, engine } = tests.both;
    await deleteWhere(lake, engine, tests.both.id('thinned'), { where: 'id = 3' });
    await tests.sameTable('thinned', [ROW2]);
  });
  tests.reads('delete rows', async () => {
    await tests.lakewardenMakes('thinned_here');
    const { lake, engine } = tests.both;
    await deleteWhere(lake, engine, tests.both.id('thinned_here'), { where: "name = 'a' OR day IS NULL" });
    expect(await contents(tests, 'thinned_here')).toEqual({ data: 1, 'position-deletes': 1 });
    await tests.sameTable('thinned_here', [ROW2, ROW3]);
    await run(`DELETE FROM ${name('thinned_here')} WHERE id = 3`);
    await tests.sameTable('thinned_here', [ROW2]);
  });

  tests.writes('delete whole partitions', async () => {
    await tests.trinoMakes('parted', "partitioning = ARRAY['day']");
    await run(`DELETE FROM ${name('parted')} WHERE day = DATE '2024-02-29'`);
    expect(await contents(tests, 'parted')).toEqual({ data: 2 });
    await tests.sameTable('parted', [ROW1, ROW4]);
  });
  tests.reads('delete whole partitions', async () => {
    await tests.lakewardenMakes('parted_here', BY_DAY);
    const { lake, engine } = tests.both;
    await deleteWhere(lake, engine, tests.both.id('parted_here'), { where: "day = DATE '2024-02-29'" });
    expect(await contents(tests, 'parted_here')).toEqual({ data: 2 });
    await tests.sameTable('parted_here', [ROW1, ROW4]);
  });

  tests.reads('overwrite partitions', async () => {
    await tests.lakewardenMakes('overwritten', BY_DAY);
    const { lake, engine } = tests.both;
    const sql = "SELECT 9::BIGINT AS id, 'new' AS name, DATE '2024-02-29' AS day";
    await overwriteSelect(lake, engine, tests.both.id('overwritten'), { sql });
    await tests.sameTable('overwritten', [ROW1, ROW4, { id: 9, name: 'new', day: '2024-02-29' }]);
  });

  tests.writes('truncate', async () => {
    await tests.trinoMakes('emptied');
    const before = await tests.head('emptied');
    await run(`TRUNCATE TABLE ${name('emptied')}`);
    await tests.sameTable('emptied', []);
    expect(await tests.both.lakeRows(`SELECT * FROM ${name('emptied')} ORDER BY 1`, String(before))).toEqual(
      ROWS,
    );
  });

  for (const own of [true, false]) {
    const see = (row: string, body: () => Promise<void>) =>
      own ? tests.writes(row, body) : tests.reads(row, body);
    see('concurrent inserts by both', async () => {
      const table = own ? 'contended' : 'contended_here';
      await (own ? tests.trinoMakes(table, 'max_commit_retry = 20') : tests.lakewardenMakes(table));
      if (!own) await run(`ALTER TABLE ${name(table)} SET PROPERTIES max_commit_retry = 20`);
      const by = (writer: number, write: (row: string) => Promise<void>) => async () => {
        for (let i = 0; i < 4; i++) await write(`(${writer + i}, 'w', DATE '2001-01-05')`);
      };
      await Promise.all([
        by(100, (row) => run(`INSERT INTO ${name(table)} VALUES ${row}`))(),
        by(200, (row) => tests.append(table, row))(),
        by(300, (row) => tests.append(table, row))(),
      ]);
      const added = [100, 200, 300].flatMap((writer) =>
        [0, 1, 2, 3].map((i) => ({ id: writer + i, name: 'w', day: '2001-01-05' })),
      );
      await tests.sameTable(table, [...ROWS, ...added]);
    });
  }
}
