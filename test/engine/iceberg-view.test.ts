import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { planMetadataScan, type ScanOptions } from '../../src/table/scan.ts';
import { canonicalRows } from '../table/canonical-rows.ts';
import { openFixture } from '../table/fixture-table.ts';

let engine: DuckDbEngine;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-view-'));
  engine = await openDuckDb({ tempDirectory: folder, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

function scanOptions(key: string): ScanOptions {
  if (key === 'current') return {};
  return key.startsWith('ref:') ? { ref: key.slice(4) } : { snapshotId: BigInt(key) };
}

describe.each(['v1_days', 'v2_deletes', 'v2_equality', 'v2_evolved', 'v2_transforms', 'v3_vectors'])(
  'golden table %s',
  (name) => {
    it('reads to its rows in every snapshot and ref', async () => {
      const fixture = await openFixture(name);
      for (const [key, expected] of Object.entries(fixture.expected)) {
        const scan = await planMetadataScan(name, fixture.metadata, fixture.objects, scanOptions(key));
        await createTableView(engine, `"golden"."${name}"`, scan, { localPath: fixture.localPath });
        const rows = await engine.all(`SELECT * FROM "golden"."${name}"`);
        expect(canonicalRows(rows), key).toEqual(canonicalRows(expected));
      }
    });

    it('counts the same rows when each is told by file and position', async () => {
      const fixture = await openFixture(name);
      const scan = await planMetadataScan(name, fixture.metadata, fixture.objects);
      const view = `"golden"."${name} positions"`;
      await createTableView(engine, view, scan, { localPath: fixture.localPath, positions: true });
      const [row] = await engine.all(
        `SELECT count(DISTINCT (__lake_location, __lake_pos)) AS n, count(*) AS rows FROM ${view}`,
      );
      expect(row).toEqual({
        n: fixture.expected['current']?.length,
        rows: fixture.expected['current']?.length,
      });
    });
  },
);
