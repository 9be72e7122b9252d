import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDuckDb, type Row } from '../../src/engine/duckdb.ts';
import { rowReader } from '../../src/engine/trino-values.ts';

const typed = (rawType: string, given: readonly unknown[] = []) => ({ rawType, arguments: given });
const column = (name: string, rawType = 'integer') => ({
  name,
  type: rawType,
  typeSignature: typed(rawType),
});

/** As Java's uuuu writes a year. */
function trinoYear(year: number): string {
  const digits = String(Math.abs(year)).padStart(4, '0');
  return year < 0 ? `-${digits}` : year > 9999 ? `+${digits}` : digits;
}

it('dates and times before Christ and after 9999 have the text that the embedded engine gives them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lake-years-'));
  const engine = await openDuckDb({ tempDirectory: folder, threads: 1 });
  const read = rowReader([
    column('d', 'date'),
    column('t', 'timestamp'),
    column('z', 'timestamp with time zone'),
  ]);
  try {
    for (const year of [-4000, -100, -2, -1, 0, 1, 99, 9999, 10_000]) {
      const ours: Row[] = [];
      const date = `make_date(${year}, 2, 28)`;
      const time = `make_timestamp(${year}, 2, 28, 3, 4, 5.12)`;
      const sql = `SELECT ${date} AS d, ${time} AS t, ${time} AT TIME ZONE 'UTC' AS z, CAST(${date} AS VARCHAR) AS said`;
      for await (const row of engine.rows(sql)) ours.push(row);
      const trino = `${trinoYear(year)}-02-28`;
      const { said, ...values } = ours[0] ?? {};
      expect(read([trino, `${trino} 03:04:05.120000`, `${trino} 03:04:05.120000 UTC`]), `${year}`).toEqual(
        values,
      );
      expect(values['d']).toBe(said);
    }
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
});

it('no value is lost where names clash, of columns and of the fields of a row', () => {
  const names = (...given: readonly string[]) =>
    Object.entries(rowReader(given.map((name) => column(name)))(given.map((_, i) => i)));
  expect(names('a', 'a', 'a:1')).toEqual([
    ['a', 0],
    ['a:2', 1],
    ['a:1', 2],
  ]);
  expect(names('a:1', 'a', 'a', 'a', 'a:1')).toEqual([
    ['a:1', 0],
    ['a', 1],
    ['a:2', 2],
    ['a:3', 3],
    ['a:1:1', 4],
  ]);
  const field = (name: string | null) => ({
    kind: 'NAMED_TYPE',
    value: { ...(name === null ? {} : { fieldName: { name } }), typeSignature: typed('integer') },
  });
  const row = typed('row', [field(null), field('field0'), field('b'), field('b')]);
  expect(rowReader([{ name: 'r', type: 'row', typeSignature: row }])([[1, 2, 3, 4]])).toEqual({
    r: { field0: 1, 'field0:1': 2, b: 3, 'b:1': 4 },
  });
});
