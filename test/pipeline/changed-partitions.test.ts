import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { buildPartitionSpec, partitionKey, UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { changedPartitions, digest, tableSelect } from '../../src/pipeline/changed-partitions.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'day', required: false, type: 'date' },
    { id: 2, name: 'x', required: false, type: 'long' },
  ],
};
const byDay = buildPartitionSpec(schema, [{ source: 'day', transform: 'day' }]);

type Row = readonly [day: number | null, x: number | null];

const sqlOf = (rows: readonly Row[]) => {
  const values = rows.map(
    ([day, x]) => `(${day === null ? 'NULL::DATE' : `DATE '2001-01-01' + ${day}`}, ${x ?? 'NULL'}::INT)`,
  );
  return rows.length === 0
    ? 'SELECT NULL::DATE AS day, NULL::INT AS x WHERE false'
    : `SELECT * FROM (VALUES ${values.join(', ')}) AS v(day, x)`;
};

describe('changedPartitions', () => {
  let engine: DuckDbEngine;
  beforeAll(async () => {
    engine = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
  });
  afterAll(() => engine.close());

  async function compare(before: readonly Row[], after: readonly Row[], spec = byDay) {
    const select = tableSelect(sqlOf(after), schema);
    const digests = {
      before: await digest(engine, tableSelect(sqlOf(before), schema), spec, schema),
      after: await digest(engine, select, spec, schema),
    };
    const changed = await changedPartitions(engine, digests, select, spec, schema);
    const rows = await engine.all(`SELECT day::VARCHAR AS day, x FROM (${changed.rows})`);
    await changed.release();
    return { changed, rows };
  }

  it('is exactly the partitions whose multiset of rows differs, and brings exactly their new rows', async () => {
    const row = fc.tuple(
      fc.option(fc.integer({ min: -2, max: 2 })),
      fc.option(fc.integer({ min: 0, max: 2 })),
    );
    const table = fc.array(row, { maxLength: 8 });
    const key = (day: number | null) => partitionKey([day === null ? null : 11_323 + day]);
    const part = (rows: readonly Row[], k: string) =>
      rows
        .filter(([day]) => key(day) === k)
        .map(([, x]) => String(x))
        .sort()
        .join();
    await fc.assert(
      fc.asyncProperty(table, table, async (before, after) => {
        const keys = new Set([...before, ...after].map(([day]) => key(day)));
        const expected = [...keys].filter((k) => part(before, k) !== part(after, k));
        const { changed, rows } = await compare(before, after);
        expect([...changed.keys].sort()).toEqual(expected.sort());
        expect(rows).toHaveLength(after.filter(([day]) => expected.includes(key(day))).length);
        const filled = expected.filter((k) => after.some(([day]) => key(day) === k));
        expect(changed.filled.map(partitionKey).sort()).toEqual(filled.sort());
      }),
      { numRuns: 40 },
    );
  });

  it('takes an unpartitioned table as one partition, emptied ones too', async () => {
    expect((await compare([[1, 1]], [[1, 1]], UNPARTITIONED)).changed.keys.size).toBe(0);
    const more = await compare(
      [[1, 1]],
      [
        [1, 1],
        [2, 2],
      ],
      UNPARTITIONED,
    );
    expect([...more.changed.keys]).toEqual([partitionKey([])]);
    expect(more.rows).toHaveLength(2);
    expect((await compare([[1, 1]], [], UNPARTITIONED)).changed.keys.size).toBe(1);
  });
});
