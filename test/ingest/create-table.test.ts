import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Catalog } from '../../src/catalog-client/catalog.ts';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableOf, dropIfEmpty } from '../../src/ingest/create-table.ts';
import { openLake } from '../../src/project/open-lake.ts';
import { appendSelect } from '../../src/table/append.ts';
import { lake } from '../cli/recorded-terminal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-create-'));
  await writeFile(
    join(folder, 'lake.yaml'),
    'version: 1\nname: test\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\n',
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const json = async (...argv: string[]) => {
  const { code, stdout, stderr } = await lake(folder, ['--output', 'json', ...argv]);
  return { code, stderr, value: JSON.parse(stdout) };
};
const typesOf = (columns: { name: string; type: string }[]) =>
  Object.fromEntries(columns.map(({ name, type }) => [name, type]));

it('infers the columns of CSV from all of its values, prints them, and partitions as it was told', async () => {
  const text =
    'id,at,day,price,ok,note,none\n' +
    '1,2001-01-01T10:00:00,2001-01-01,1,true,2001-01-01,\n' +
    '9007199254740993,2001-01-02T10:00:00.5,2001-01-02,2.5,false,later,\n';
  await writeFile(join(folder, 'a.csv'), text);
  const make = ['ingest', 'raw.a', 'a.csv', '--create', '--partition-by', 'day(at)', '--batch-id', 'one'];
  const { code, stderr, value } = await json(...make);
  expect(code, stderr).toBe(0);
  expect(value).toMatchObject({ rows: 2, status: 'ingested' });
  expect(typesOf(value.created)).toEqual({
    id: 'long',
    at: 'timestamp',
    day: 'date',
    price: 'double',
    ok: 'boolean',
    note: 'string',
    none: 'string',
  });
  expect(stderr).toContain('Made raw.a, partitioned by day(at):\n  id long\n  at timestamp\n');
  const partitions: { partition: string }[] = (await json('table', 'partitions', 'raw.a')).value;
  expect(partitions.map(({ partition }) => partition).sort()).toEqual([
    'at_day=2001-01-01',
    'at_day=2001-01-02',
  ]);
  expect((await json('sql', 'SELECT CAST(id AS VARCHAR) AS id, note FROM raw.a ORDER BY ALL')).value).toEqual(
    [
      { id: '1', note: '2001-01-01' },
      { id: '9007199254740993', note: 'later' },
    ],
  );
  const again = await json(...make);
  expect(again.value).toMatchObject({ status: 'already-ingested', created: null });
});

it('takes the types of a Parquet file as they are, nested ones too', async () => {
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  const select =
    "SELECT 1::INTEGER AS i, 2::BIGINT AS l, 1.5::FLOAT AS f, 12.50::DECIMAL(9, 2) AS d, DATE '2001-01-01' AS day, " +
    "TIMESTAMPTZ '2001-01-01 10:00:00+00' AS tz, TIMESTAMP '2001-01-01 10:00:00' AS ts, [1, 2]::BIGINT[] AS list, " +
    "{'x': 1::INTEGER, 'y': ['b']} AS s, MAP {'k': 1.5::DOUBLE} AS m, 'ab'::BLOB AS b";
  await engine.run(`COPY (${select}) TO '${folder}/a.parquet' (FORMAT parquet)`);
  const before = await engine.all(`SELECT * FROM '${folder}/a.parquet'`);
  await engine.close();
  const { code, stderr, value } = await json('ingest', 'raw.p', 'a.parquet', '--create');
  expect(code, stderr).toBe(0);
  expect(typesOf(value.created)).toEqual({
    i: 'int',
    l: 'long',
    f: 'float',
    d: 'decimal(9, 2)',
    day: 'date',
    tz: 'timestamptz',
    ts: 'timestamp',
    list: 'list<long>',
    s: 'struct<x: int, y: list<string>>',
    m: 'map<string, double>',
    b: 'binary',
  });
  expect((await json('sql', 'SELECT * FROM raw.p')).value).toEqual(before);
});

it.each([
  ['nested.jsonl', '{"id": 1}\n{"id": 2, "o": {"a": 1}}\n', 'No column type holds what "o" has'],
  ['empty.csv', '', 'The files have no columns'],
  ['torn.csv', 'a,b\n1,2\n3\n', /row/],
])('makes no table of %s, and leaves none', async (name, text, message) => {
  await writeFile(join(folder, name), text);
  const { code, value } = await json('ingest', 'raw.x', name, '--create');
  expect(code).toBeGreaterThan(0);
  expect(value.error.message).toEqual(
    message instanceof RegExp ? expect.stringMatching(message) : expect.stringContaining(message),
  );
  expect((await json('table', 'list')).value).toEqual([]);
});

it('refuses standard input, and a partitioning without --create or that does not fit', async () => {
  await writeFile(join(folder, 'a.csv'), 'a\n1\n');
  const refused = async (...argv: string[]) => (await json('ingest', 'raw.x', ...argv)).value.error.message;
  expect(await refused('-', '--format', 'csv', '--create')).toContain('--create reads its files twice');
  expect(await refused('a.csv', '--partition-by', 'a')).toContain('--partition-by is for --create');
  expect(await refused('a.csv', '--create', '--partition-by', 'day(b)')).toContain('b');
  expect((await json('table', 'list')).value).toEqual([]);
});

/** The catalog, with something done right before a table is dropped. */
function beforeDrop(catalog: Catalog, disturb: () => Promise<unknown>): Catalog {
  return new Proxy(catalog, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function') return found;
      if (name !== 'dropTable') return found.bind(target);
      return async (...args: unknown[]) => {
        await disturb();
        return found.apply(target, args);
      };
    },
  });
}

it('takes back an empty table that it made, and no table that somebody else wrote into or made anew', async () => {
  await writeFile(join(folder, 'a.csv'), 'a\n1\n');
  const own = await openLake(await loadLake(folder, {}), systemClock);
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  const table = { namespace: ['raw'], name: 'x' };
  const request = {
    files: [join(folder, 'a.csv')],
    csv: { delimiter: ',', nullText: '' },
    partitionBy: [],
  };
  const make = async () => (await createTableOf(own, table, request))!.uuid;
  const append = () => appendSelect(own, engine, table, { sql: 'SELECT 7::BIGINT AS a' });
  const anew = async () => {
    await own.catalog.dropTable(table);
    await make();
    await append();
  };
  try {
    await dropIfEmpty(own, table, await make());
    expect(await own.catalog.tableExists(table)).toBe(false);
    for (const disturb of [append, anew]) {
      const uuid = await make();
      await dropIfEmpty({ ...own, catalog: beforeDrop(own.catalog, disturb) }, table, uuid);
      expect((await own.catalog.loadTable(table)).metadata.snapshots).toHaveLength(1);
      await dropIfEmpty(own, table, uuid);
      expect(await own.catalog.tableExists(table)).toBe(true);
      await own.catalog.dropTable(table);
    }
  } finally {
    await engine.close();
    await own.close();
  }
});
