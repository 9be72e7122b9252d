import { expect } from 'vitest';
import { defaultSortOrder } from '../../../src/iceberg/table-metadata.ts';
import { alterTable } from '../../../src/table/alter.ts';
import { tablePartitions } from '../../../src/table/history.ts';
import { type OperationTests, ROWS } from './operation-tests.ts';

/** Columns to partition by, of several types, with values before 1970 and nulls. */
const COLUMNS = [
  ['id', 'int'],
  ['n', 'long'],
  ['s', 'string'],
  ['d', 'date'],
  ['t', 'timestamp'],
  ['z', 'timestamptz'],
  ['c', 'decimal(10, 2)'],
  ['u', 'uuid'],
  ['b', 'binary'],
] as const;
const TRINO_COLUMNS =
  'id integer, n bigint, s varchar, d date, t timestamp(6), z timestamp(6) with time zone, c decimal(10, 2), u uuid, b varbinary';
const VALUES: readonly (readonly [
  n: string,
  s: string,
  d: string,
  t: string,
  c: string,
  u: string,
  b: string,
])[] = [
  [
    '-34',
    'i\u{1F600}eberg',
    '1969-12-31',
    '1969-12-31 23:59:59.999999',
    '-14.20',
    'f79c3e09-677c-4bbd-a479-3f349cb785e7',
    '000102ff',
  ],
  ['34', '', '2017-11-16', '2017-11-16 22:31:08', '14.20', '00000000-0000-0000-0000-000000000000', ''],
  [
    '9007199254740993',
    'ice',
    '0001-01-01',
    '0001-01-01 00:00:00',
    '0.00',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'ff',
  ],
];

function rowsSql(engine: 'trino' | 'lakewarden', firstId: number): string {
  const bytes = (hex: string) => (engine === 'trino' ? `X'${hex}'` : `from_hex('${hex}')`);
  const zoned = engine === 'trino' ? ['TIMESTAMP', ' UTC'] : ['TIMESTAMPTZ', '+00'];
  const rows = VALUES.map(
    ([n, s, d, t, c, u, b], i) =>
      `(${firstId + i}, CAST(${n} AS BIGINT), '${s}', DATE '${d}', TIMESTAMP '${t}', ${zoned[0]} '${t}${zoned[1]}', CAST('${c}' AS DECIMAL(10, 2)), CAST('${u}' AS UUID), ${bytes(b)})`,
  );
  return [
    ...rows,
    `(${firstId + VALUES.length}, ${COLUMNS.slice(1)
      .map(() => 'NULL')
      .join(', ')})`,
  ].join(', ');
}

/** Filters, and which of the rows each selects. */
const FILTERS: readonly (readonly [filter: string, id: number])[] = [
  ['n = -34', 0],
  ["s = ''", 1],
  ["d = DATE '0001-01-01'", 2],
  ["t < TIMESTAMP '1969-12-31 23:59:59.999999'", 2],
  ["c = CAST('-14.20' AS DECIMAL(10, 2))", 0],
  ["u = CAST('ffffffff-ffff-ffff-ffff-ffffffffffff' AS UUID)", 2],
  ['n IS NULL', 3],
];

/** For each transform the partitionings to try: Trino's words, and Iceberg's source and transform. */
const TRANSFORMS: Readonly<
  Record<string, readonly (readonly [trino: string, source: string, transform: string])[]>
> = {
  identity: ['n', 's', 'd', 't', 'z', 'c', 'u', 'b'].map((column) => [column, column, 'identity']),
  bucket: ['n', 's', 'd', 't', 'z', 'c', 'u', 'b'].map((column) => [
    `bucket(${column}, 7)`,
    column,
    'bucket[7]',
  ]),
  truncate: ['n', 's', 'c', 'b'].map((column) => [`truncate(${column}, 3)`, column, 'truncate[3]']),
  year: ['d', 't', 'z'].map((column) => [`year(${column})`, column, 'year']),
  month: ['d', 't', 'z'].map((column) => [`month(${column})`, column, 'month']),
  day: ['d', 't', 'z'].map((column) => [`day(${column})`, column, 'day']),
  hour: ['t', 'z'].map((column) => [`hour(${column})`, column, 'hour']),
};

/** Tables partitioned by every transform, partitionings that change, and sort orders. */
export function testPartitioning(tests: OperationTests): void {
  const name = (table: string) => tests.name(table);
  const run = (...sql: string[]) => tests.both.run(...sql);
  const partitions = async (table: string) =>
    (await tablePartitions(await tests.both.table(table))).map(({ partition, records }) => ({
      partition,
      records,
    }));

  /** All rows are there twice, each pair in one partition: the engines agree on what the transform makes of each value. */
  async function agree(table: string): Promise<void> {
    const found = await partitions(table);
    expect(found.map(({ records }) => records % 2)).toEqual(found.map(() => 0));
    expect(found.length).toBeGreaterThan(1);
    const pairs = `SELECT id % 10 AS k, count(*) AS n FROM ${name(table)} GROUP BY 1 ORDER BY 1`;
    await tests.same(
      pairs,
      [0, 1, 2, 3].map((k) => ({ k, n: 2 })),
    );
    const columns = COLUMNS.slice(1).map(([column]) => column);
    const all = `SELECT id, ${columns.join(', ')} FROM ${name(table)} ORDER BY id`;
    const rows = await tests.both.lakeRows(all);
    expect(await tests.both.trinoRows(all)).toEqual(rows);
    expect(rows.slice(4).map((row) => ({ ...row, id: Number(row['id']) - 10 }))).toEqual(rows.slice(0, 4));
    // Each asks for a value that one partition has; together they are one query, so that few are asked.
    const each = FILTERS.map(([filter], i) => `SELECT ${i} AS f, id FROM ${name(table)} WHERE ${filter}`);
    const selected = await tests.both.trinoRows(`${each.join(' UNION ALL ')} ORDER BY f, id`);
    expect(selected).toEqual(
      FILTERS.flatMap(([, id], f) => [
        { f, id },
        { f, id: id + 10 },
      ]),
    );
    for (const [filter, id] of FILTERS) {
      const rows = await tests.both.lakeRows(`SELECT id FROM ${name(table)} WHERE ${filter} ORDER BY id`);
      expect(rows, filter).toEqual([{ id }, { id: id + 10 }]);
    }
  }

  for (const [kind, fields] of Object.entries(TRANSFORMS)) {
    const combined = fields.map(([trino]) => `'${trino}'`).join(', ');
    tests.writes(`partition by ${kind}`, async () => {
      const table = `by_${kind}`;
      await run(
        `CREATE TABLE ${name(table)} (${TRINO_COLUMNS}) WITH (partitioning = ARRAY[${combined}])`,
        `INSERT INTO ${name(table)} VALUES ${rowsSql('trino', 0)}`,
      );
      const before = await partitions(table);
      await tests.append(table, rowsSql('lakewarden', 10));
      expect((await partitions(table)).map(({ partition }) => partition)).toEqual(
        before.map(({ partition }) => partition),
      );
      await agree(table);
    });
    tests.reads(`partition by ${kind}`, async () => {
      const table = `by_${kind}_here`;
      const requests = fields.map(([, source, transform]) => ({ source, transform }));
      await tests.lakewardenMakes(table, requests, COLUMNS, rowsSql('lakewarden', 0));
      const before = await partitions(table);
      await run(`INSERT INTO ${name(table)} VALUES ${rowsSql('trino', 10)}`);
      expect((await partitions(table)).map(({ partition }) => partition)).toEqual(
        before.map(({ partition }) => partition),
      );
      await agree(table);
    });
  }

  const grown = [...ROWS, { id: 5, name: 'e', day: '2024-02-29' }];
  const filtered = (table: string) =>
    tests.same(`SELECT id FROM ${name(table)} WHERE day = DATE '2024-02-29' ORDER BY id`, [
      { id: 2 },
      { id: 3 },
      { id: 5 },
    ]);
  tests.writes('change the partitioning', async () => {
    await tests.trinoMakes('respread', "partitioning = ARRAY['day']");
    await run(
      `ALTER TABLE ${name('respread')} SET PROPERTIES partitioning = ARRAY['month(day)', 'bucket(id, 4)']`,
      `INSERT INTO ${name('respread')} VALUES (5, 'e', DATE '2024-02-29')`,
    );
    await tests.sameTable('respread', grown);
    await filtered('respread');
  });
  tests.reads('change the partitioning', async () => {
    await tests.lakewardenMakes('respread_here', [{ source: 'day', transform: 'identity' }]);
    await alterTable(tests.both.lake, tests.both.id('respread_here'), {
      partitioning: {
        add: [
          { source: 'day', transform: 'month' },
          { source: 'id', transform: 'bucket[4]' },
        ],
        drop: ['day'],
      },
    });
    await tests.append('respread_here', "(5, 'e', DATE '2024-02-29')");
    await tests.sameTable('respread_here', grown);
    await filtered('respread_here');
  });

  tests.writes('sort order', async () => {
    await tests.trinoMakes('sorted', "sorted_by = ARRAY['name DESC NULLS LAST']");
    expect(defaultSortOrder((await tests.both.table('sorted')).metadata).fields).toMatchObject([
      { transform: 'identity', direction: 'desc', 'null-order': 'nulls-last' },
    ]);
    await tests.append('sorted', "(5, 'e', NULL)");
    await tests.sameTable('sorted', [...ROWS, { id: 5, name: 'e', day: null }]);
  });
  tests.reads('sort order', async () => {
    await tests.lakewardenMakes('sorted_here');
    const sortBy = [{ source: 'name', direction: 'desc', nullOrder: 'nulls-last' }] as const;
    await alterTable(tests.both.lake, tests.both.id('sorted_here'), { sortBy });
    const [shown] = await tests.both.trinoRows(`SHOW CREATE TABLE ${name('sorted_here')}`);
    expect(shown?.['Create Table']).toContain("sorted_by = ARRAY['name DESC NULLS LAST']");
    await run(`INSERT INTO ${name('sorted_here')} VALUES (5, 'e', NULL)`);
    await tests.sameTable('sorted_here', [...ROWS, { id: 5, name: 'e', day: null }]);
  });
}
