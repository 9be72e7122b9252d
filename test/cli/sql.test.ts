import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lake } from './recorded-terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-sql-'));
  await writeFile(
    join(folder, 'lake.yaml'),
    'version: 1\nname: test\nwarehouse: ./warehouse\ncatalog: { embedded: ./.lake/catalog.db }\n',
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ask = (sql: string) => lake(folder, ['--output', 'json', 'sql', sql]);

it('shows the line of SQL with a caret, its position, and the nearest names', async () => {
  const { code, stderr } = await lake(folder, ['sql', 'SELECT\n  a,\n  b FROM WHERE x']);
  expect(code).toBe(2);
  expect(stderr).toBe(
    [
      'error: syntax error at or near "WHERE"',
      '    b FROM WHERE x',
      '           ^',
      '  at query, line 3, column 10',
      '  Correct the SQL and run it again; nothing was changed.',
      '',
    ].join('\n'),
  );
  const unknown = JSON.parse((await ask('SELECT fob FROM (SELECT 1 AS foo)')).stdout).error;
  expect(unknown).toMatchObject({ kind: 'usage', where: 'query, line 1, column 8' });
  expect(unknown.message).toMatch(/^Referenced column "fob" not found in FROM clause\n/);
  expect(unknown.hint).toMatch(/^Did you mean "foo"\? Correct the SQL/);
});

it.each([
  ['SELECT 1; SELECT 2', 'The SQL has 2 statements'],
  ['; ;', 'The query is empty'],
  ["COPY (SELECT 1) TO 'x.csv'", 'COPY is refused'],
  ["/* a */ -- b\n attach 'x.db'", 'ATTACH is refused'],
  ['INSTALL httpfs', 'INSTALL is refused'],
  ["SET memory_limit = '9GB'", 'SET is refused'],
  ['PRAGMA database_size', 'PRAGMA is refused'],
  ['CREATE TABLE x (a INT)', 'CREATE is refused'],
  ['DELETE FROM gold.t', 'DELETE is refused'],
  ['CALL force_checkpoint()', 'CALL is refused'],
])('refuses %s and runs nothing', async (sql, message) => {
  const { code, stdout } = await ask(sql);
  expect(code).toBe(2);
  const { error } = JSON.parse(stdout);
  expect(error.kind).toBe('usage');
  expect(error.message).toContain(message);
  await expect(stat(join(folder, 'x.csv'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it('asks one question, with its semicolons and comments', async () => {
  for (const sql of [
    'SELECT 1 AS a;',
    'WITH t AS (SELECT 1 AS a) SELECT * FROM t ; ;',
    'FROM (VALUES (1)) t(a)',
  ]) {
    expect(JSON.parse((await ask(sql)).stdout), sql).toEqual([{ a: 1 }]);
  }
});

it("refuses two tables that letters' case alone tells apart: one would be read for both", async () => {
  await writeFile(join(folder, 'a.csv'), 'a\n1\n');
  for (const name of ['raw.x', 'raw.X'])
    expect((await lake(folder, ['ingest', name, 'a.csv', '--create'])).code).toBe(0);
  const { code, stdout } = await ask('SELECT count(*) FROM raw.x, raw."X"');
  expect(code).toBe(1);
  expect(JSON.parse(stdout).error).toMatchObject({
    kind: 'unsupported',
    message: expect.stringContaining('differ by case alone'),
  });
  expect((await ask('SELECT count(*) AS n FROM raw."X"')).code).toBe(0);
});
