import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { isVolatile, VOLATILE_FUNCTIONS } from '../../src/pipeline/volatile-sql.ts';

/** Called volatile by DuckDB, and yet the same in every run. */
const HARMLESS = [
  ...['error', 'sleep_ms', 'write_log', 'in_search_path'],
  ...['current_database', 'current_schema', 'current_schemas'],
];

describe('isVolatile', () => {
  let engine: DuckDbEngine;
  beforeAll(async () => {
    engine = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
  });
  afterAll(() => engine.close());

  it.each([
    'SELECT NOW() AS x',
    'SELECT * FROM a WHERE d >= current_date - 7',
    'WITH c AS (SELECT localtimestamp AS t) SELECT * FROM a, c',
    'SELECT * FROM a WHERE x IN (SELECT main.random())',
    'SELECT x, row_number() OVER (ORDER BY uuid()) FROM a',
    'SELECT age(born) FROM a',
    'SELECT * FROM a USING SAMPLE 10%',
    'SELECT * FROM a TABLESAMPLE 3 ROWS',
    "SELECT * FROM a JOIN read_csv('more.csv') AS m USING (x)",
    'SELECT 1 AS x UNION ALL SELECT get_current_time()',
    'SELECT x FROM a ORDER BY random() LIMIT 1',
  ])('%s', async (sql) => expect(await isVolatile(engine, sql)).toBe(true));

  it.each([
    'SELECT now, today, a.current_date FROM a',
    "SELECT 'now()' AS x -- now()",
    "SELECT age(a.x, a.y), date_diff('day', x, y) FROM a, range(3) AS r(i), unnest([1]) AS u(j)",
    'SELECT md5(x) AS k, first(y ORDER BY z) FROM a GROUP BY ALL',
  ])('not %s', async (sql) => expect(await isVolatile(engine, sql)).toBe(false));

  it('knows every function that DuckDB calls volatile, and those without parentheses', async () => {
    const rows = await engine.all(
      `SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')`,
    );
    const unknown = rows
      .map(({ name }) => String(name))
      .filter((name) => !VOLATILE_FUNCTIONS.has(name) && !HARMLESS.includes(name));
    expect(unknown).toEqual([]);
  });
});
