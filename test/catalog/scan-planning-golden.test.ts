import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ScanPlans } from '../../catalog/planning/scan-plans.ts';
import { pinScan } from '../../catalog/planning/scan-request.ts';
import { systemClock } from '../../src/clock.ts';
import { openStore } from '../../src/storage/store.ts';
import { planMetadataScan } from '../../src/table/scan.ts';
import { localFixture } from '../table/local-fixture.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'iceberg-java');
const tables = (await readdir(FIXTURES, { withFileTypes: true })).filter((one) => one.isDirectory());

type Json = Readonly<Record<string, unknown>>;

describe('tables that Iceberg Java wrote', () => {
  it.each(tables.map(({ name }) => name))(
    '%s: every snapshot is planned as the own planner plans it',
    async (name) => {
      const fixture = await localFixture(name);
      try {
        const { metadata } = fixture;
        const objects = openStore();
        const plans = new ScanPlans(objects, systemClock, () => async () => {});
        for (const { 'snapshot-id': id } of metadata.snapshots) {
          const answer = await plans.plan(metadata, pinScan(metadata, { 'snapshot-id': id }), 'typed');
          const deletes = answer['delete-files'] ?? [];
          const found = (answer['file-scan-tasks'] ?? []).map((task) => {
            const file = task['data-file'] as Json;
            const places = (task['delete-file-references'] ?? []) as number[];
            return [file['file-path'], places.map((at) => placeOf(deletes[at] ?? {})).sort()] as const;
          });
          const { tasks } = await planMetadataScan(name, metadata, objects, { snapshotId: id });
          const expected = tasks.map((task) => {
            const applied = task.deletes.map(({ dataFile }) =>
              placeOf({
                'file-path': dataFile.filePath,
                'content-offset': dataFile.contentOffset,
                'content-size-in-bytes': dataFile.contentSizeInBytes,
                'referenced-data-file': dataFile.referencedDataFile,
              }),
            );
            return [task.dataFile.filePath, applied.sort()] as const;
          });
          expect(new Map(found)).toEqual(new Map(expected));
        }
      } finally {
        await fixture.remove();
      }
    },
  );

  it('of v3 tell the first row id of each file, all of them apart', async () => {
    const fixture = await localFixture('v3_vectors');
    try {
      const { metadata } = fixture;
      const plans = new ScanPlans(openStore(), systemClock, () => async () => {});
      const answer = await plans.plan(metadata, pinScan(metadata, {}), 'typed');
      const ranges = (answer['file-scan-tasks'] ?? [])
        .map((task) => task['data-file'] as Json)
        .map((file) => [Number(file['first-row-id']), Number(file['record-count'])] as const)
        .sort(([a], [b]) => a - b);
      expect(ranges.length).toBeGreaterThan(0);
      for (const [at, [first, rows]] of ranges.entries()) {
        expect(first).toBeGreaterThanOrEqual(0);
        expect(first + rows).toBeLessThanOrEqual(ranges[at + 1]?.[0] ?? Number(metadata['next-row-id']));
      }
    } finally {
      await fixture.remove();
    }
  });
});

/** What tells one deletion vector from another in the same Puffin file. */
function placeOf(file: Json): string {
  const { 'file-path': path, 'content-offset': offset, 'content-size-in-bytes': size } = file;
  return [path, offset, size, file['referenced-data-file']].map((one) => String(one)).join(' ');
}
