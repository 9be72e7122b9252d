import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { queryNeeds } from '../../src/engine/query-needs.ts';
import { createQueryViews } from '../../src/engine/query-views.ts';
import { quoteName } from '../../src/engine/sql-text.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { planMetadataScan, type ScanOptions, type TableScan } from '../../src/table/scan.ts';
import { openFixture } from '../table/fixture-table.ts';

/** Where the golden files are told to lie, so that DuckDB does not open them itself. */
const AWAY = 's3://golden';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-pruned-golden-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The scan with its files elsewhere. Position deletes name their files by location: those stay. */
function away(scan: TableScan): TableScan {
  const moved = <T extends { readonly dataFile: { readonly filePath: string } }>(one: T): T => ({
    ...one,
    dataFile: { ...one.dataFile, filePath: AWAY + one.dataFile.filePath },
  });
  return { ...scan, tasks: scan.tasks.map((task) => moved({ ...task, deletes: task.deletes.map(moved) })) };
}

const fromAway = (objects: ObjectStore): ObjectStore => ({
  ...objects,
  get: (location, range) => objects.get(location.slice(AWAY.length), range),
  stream: (location) => objects.stream(location.slice(AWAY.length)),
  head: async (location) => ({ ...(await objects.head(location.slice(AWAY.length))), location }),
});

async function answers(engine: DuckDbEngine, query: string): Promise<string[]> {
  return (await engine.all(query)).map((row) => JSON.stringify(row)).sort();
}

/** Conditions that split the rows of a column, from its own values. */
async function conditions(engine: DuckDbEngine, view: string, columns: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const column of columns) {
    const name = quoteName(column);
    found.push(`${name} IS NULL`);
    const rows = await engine.all(
      `SELECT DISTINCT CAST(${name} AS VARCHAR) AS v FROM ${view} WHERE ${name} IS NOT NULL ORDER BY v LIMIT 3`,
    );
    for (const row of rows) {
      const value = `'${String(row['v']).replaceAll("'", "''")}'`;
      found.push(
        `${name} = ${value}`,
        `${name} > ${value}`,
        `NOT ${name} <= ${value}`,
        `${name} IN (${value})`,
      );
    }
  }
  return found;
}

describe.each([
  ['v1_days', true],
  ['v2_deletes', false],
  ['v2_equality', true],
  ['v2_evolved', true],
  ['v2_transforms', true],
  ['v3_vectors', true],
])('golden table %s', (name, staged) => {
  it('answers filters in every snapshot and ref as without pruning', async () => {
    const fixture = await openFixture(name);
    const engine = await openDuckDb({
      tempDirectory: join(folder, `${name}-spill`),
      threads: 1,
      objects: fromAway(fixture.objects),
      cache: { folder: join(folder, name), sizeBytes: 1e9, wholeFileBytes: 0 },
    });
    const view = `"golden"."${name}"`;
    const place = (scan: TableScan) => (staged ? away(scan) : scan);
    const options = staged ? {} : { localPath: fixture.localPath };
    let pruned = 0;
    try {
      for (const key of Object.keys(fixture.expected).slice(0, 3)) {
        const point: ScanOptions =
          key === 'current'
            ? {}
            : key.startsWith('ref:')
              ? { ref: key.slice(4) }
              : { snapshotId: BigInt(key) };
        const whole = await planMetadataScan(name, fixture.metadata, fixture.objects, point);
        await createTableView(engine, view, place(whole), options);
        const columns = whole.schema.fields.filter((field) => typeof field.type === 'string');
        const queries = (
          await conditions(
            engine,
            view,
            columns.map((field) => field.name),
          )
        )
          .filter((_, at) => at % 4 === 0)
          .slice(0, 8)
          .flatMap((where, at) =>
            at % 2 === 0
              ? [`SELECT * FROM ${view} WHERE ${where}`]
              : [`SELECT count(*) AS n FROM ${view} WHERE ${where}`],
          );
        const expected = new Map<string, string[]>();
        for (const query of queries) expected.set(query, await answers(engine, query));
        for (const query of queries) {
          const [need] = await queryNeeds(query, [
            { identifier: { namespace: ['golden'], name }, schema: whole.schema },
          ]);
          if (need === undefined) continue;
          const scan = await planMetadataScan(name, fixture.metadata, fixture.objects, {
            ...point,
            filter: need.filter,
          });
          if (scan.tasks.length < whole.tasks.length) pruned++;
          if (staged) await createQueryViews(engine, query, [{ name: view, scan: place(scan), need }]);
          else await createTableView(engine, view, scan, { ...options, need });
          expect(await answers(engine, query), `${key}: ${query}`).toEqual(expected.get(query));
        }
      }
    } finally {
      await engine.close();
    }
    expect(pruned).toBeGreaterThan(0);
  }, 300_000);
});
