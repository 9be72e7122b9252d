import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView, dropTableView } from '../../src/engine/iceberg-view.ts';
import { quoteName } from '../../src/engine/sql-text.ts';
import { UNPARTITIONED } from '../../src/iceberg/partition-spec.ts';
import { highestFieldId } from '../../src/iceberg/schema.ts';
import type { StructType } from '../../src/iceberg/types.ts';
import { writeSelect } from '../../src/parquet/set-writer.ts';
import { openStore } from '../../src/storage/store.ts';
import type { ScanTask } from '../../src/table/scan.ts';
import { openFixture } from '../table/fixture-table.ts';
import { change, changed, columns, type ModelValue, randomValue, shown, sqlOf } from './evolving-type.ts';

let engine: DuckDbEngine;
let folder: string;
let tables = 0;
const objects = openStore();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-nested-'));
  engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const schemaOf = (struct: StructType, id = 0) => ({ ...struct, 'schema-id': id });

async function written(
  struct: StructType,
  rows: readonly ModelValue[],
  location: string,
): Promise<ScanTask[]> {
  const selects = rows.map((row) => {
    const cells = struct.fields.map((field) => {
      const value =
        typeof row === 'object' && row?.kind === 'struct' ? (row.byId.get(field.id) ?? null) : null;
      return `${sqlOf(field.type, value)} AS ${quoteName(field.name)}`;
    });
    return `SELECT ${cells.join(', ')}`;
  });
  const files = await writeSelect(engine, {
    sql: selects.join(' UNION ALL '),
    schema: schemaOf(struct),
    spec: UNPARTITIONED,
    location,
    objects,
    clock: systemClock,
  });
  return files.map((dataFile) => ({ dataFile, spec: UNPARTITIONED, sequenceNumber: 1, deletes: [] }));
}

/** Numbers from 0 to 99 that a seed decides. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % 100;
  };
}

const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

it('reads files of every schema that a table has had by field ids alone, nested ones too', async () => {
  const { metadata } = await openFixture('v2_evolved');
  const steps = fc.array(fc.record({ change, seed: fc.integer(), writes: fc.boolean() }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(columns, fc.integer(), steps, async (first, seed, evolution) => {
      const location = `file://${folder}/t${++tables}`;
      let struct = first;
      let lastId = highestFieldId(struct);
      const rows: ModelValue[] = [];
      const tasks: ScanTask[] = [];
      const write = async (next: () => number): Promise<void> => {
        const some = Array.from(
          { length: 3 },
          (): ModelValue => ({
            kind: 'struct',
            byId: new Map(struct.fields.map((field) => [field.id, randomValue(field.type, next)])),
          }),
        );
        rows.push(...some);
        tasks.push(...(await written(struct, some, location)));
      };
      await write(numbers(seed));
      for (const step of evolution) {
        struct = changed(struct, step.change, lastId + 1);
        lastId = Math.max(lastId, highestFieldId(struct));
        if (step.writes) await write(numbers(step.seed));
      }
      const view = quoteName(`t${tables}`);
      await createTableView(engine, view, {
        table: 't',
        metadata: { ...metadata, properties: {}, schemas: [schemaOf(struct)] },
        schema: schemaOf(struct),
        tasks,
      });
      const read = await engine.all(`SELECT * FROM ${view}`);
      await dropTableView(engine, view);
      expect(sorted(read)).toEqual(sorted(rows.map((row) => shown(struct, row))));
    }),
    { numRuns: 60 },
  );
});
