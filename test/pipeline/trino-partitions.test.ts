import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { buildPartitionSpec, type PartitionFieldRequest } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { partitionTuples, tableSelect } from '../../src/pipeline/changed-partitions.ts';
import { PARTITIONS_PER_STATEMENT, partitionBatches } from '../../src/pipeline/trino-partitions.ts';

const TYPES = {
  ts: 'timestamp',
  tz: 'timestamptz',
  d: 'date',
  s: 'string',
  n: 'long',
  b: 'boolean',
  x: 'double',
  m: 'decimal(9, 2)',
} as const;
const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: Object.entries(TYPES).map(([name, type], i) => ({ id: i + 1, name, required: false, type })),
};
const by = (...requests: readonly [string, string][]) =>
  buildPartitionSpec(
    schema,
    requests.map(([source, transform]): PartitionFieldRequest => ({ source, transform })),
  );

let engine: DuckDbEngine;
beforeAll(async () => {
  engine = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
});
afterAll(() => engine.close());

const text = (value: string | null) => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`);
const time = fc.option(
  fc
    .date({ min: new Date('1890-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 19)),
);
const row = fc.tuple(
  time,
  time,
  time,
  fc.option(fc.constantFrom('a', "it's", '', '"')),
  fc.option(fc.integer({ min: -3, max: 3 })),
  fc.option(fc.boolean()),
);

describe('batches of partitions', () => {
  const specs = {
    'day of a timestamp': by(['ts', 'day']),
    'hour and month with zone': by(['ts', 'hour'], ['tz', 'month']),
    'year of a date, text and truth': by(['d', 'year'], ['s', 'identity'], ['b', 'identity']),
    'a date, a number and a decimal': by(['d', 'identity'], ['n', 'identity'], ['m', 'identity']),
    'no partitions': by(),
  };
  it.each(Object.entries(specs))(
    'take every row once, and none of other partitions: %s',
    async (_name, spec) => {
      const check = async (rows: readonly (typeof row extends fc.Arbitrary<infer R> ? R : never)[]) => {
        const values = rows.map(([ts, tz, d, s, n, b]) => {
          const cells = [
            text(ts),
            text(tz),
            text(d?.slice(0, 10) ?? null),
            text(s),
            n,
            b,
            n,
            n === null ? null : n / 4,
          ];
          return `(${cells.map((cell) => cell ?? 'NULL').join(', ')})`;
        });
        const names = Object.keys(TYPES).join(', ');
        const all = tableSelect(`SELECT * FROM (VALUES ${values.join(', ')}) AS v(${names})`, schema);
        const tuples = await partitionTuples(engine, all, spec, schema);
        const [own, others] = [tuples.filter((_, i) => i % 2 === 0), tuples.filter((_, i) => i % 2 === 1)];
        const counts = async (some: typeof tuples) => {
          const batches = partitionBatches(spec, schema, some) ?? [];
          const times = batches.map((batch) => `CAST(coalesce(${batch}, false) AS INTEGER)`);
          const found = await engine.all(`SELECT ${['0', ...times].join(' + ')} AS n FROM (${all})`);
          return found.map(({ n }) => Number(n));
        };
        const [inOwn, inOthers] = [await counts(own), await counts(others)];
        expect(inOwn.map((count, i) => count + (inOthers[i] ?? 0))).toEqual(rows.map(() => 1));
      };
      await fc.assert(fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), check), {
        numRuns: 25,
        seed: 11,
      });
    },
  );

  it('hold no more partitions than a statement may write', () => {
    const tuples = Array.from({ length: 2 * PARTITIONS_PER_STATEMENT + 1 }, (_, day) => [day]);
    const batches = partitionBatches(by(['ts', 'day']), schema, tuples) ?? [];
    expect(batches.map((batch) => batch.split(' OR ').length)).toEqual([100, 100, 1]);
    expect(partitionBatches(by(['ts', 'day']), schema, [])).toEqual([]);
    expect(partitionBatches(by(), schema, [])).toEqual([]);
  });

  it('are left to the embedded engine where Trino has no words for them', () => {
    for (const [spec, tuple] of [
      [by(['n', 'bucket[4]']), [1]],
      [by(['s', 'truncate[2]']), ['ab']],
      [by(['n', 'bucket[4]']), [null]],
      [by(['x', 'identity']), [1.5]],
      [by(['d', 'day']), [3_000_000]],
      [by(['d', 'identity']), [-800_000]],
    ] as const) {
      expect(partitionBatches(spec, schema, [tuple])).toBeNull();
    }
  });
});
