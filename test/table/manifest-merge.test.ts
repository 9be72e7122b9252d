import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ManifestFile } from '../../src/iceberg/manifest-list.ts';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { mergeRules, planMerge } from '../../src/table/manifest-merge.ts';
import { manifestEntries, snapshotManifests } from '../../src/table/manifests.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'p', required: false, type: 'int' },
    { id: 2, name: 'k', required: false, type: 'int' },
    { id: 3, name: 'v', required: false, type: 'string' },
  ],
};
const SPEC = buildPartitionSpec(SCHEMA, [{ source: 'p', transform: 'identity' }]);

type Row = readonly [p: number, k: number, v: string];
const sqlOf = (rows: readonly Row[]): string =>
  `SELECT * FROM (VALUES ${rows.map(([p, k, v]) => `(${p}::INT, ${k}::INT, '${v}')`).join(', ')}) r(p, k, v)`;
const textOf = (rows: readonly Row[]): string[] => rows.map((row) => row.join('|')).sort();

let lake: TestLake;
beforeEach(async () => {
  lake = await openTestLake(SCHEMA, SPEC);
  setProperties({ 'commit.manifest.min-count-to-merge': '3' });
});
afterEach(() => lake.close());

function setProperties(properties: Record<string, string>): void {
  lake.catalog.metadata = { ...lake.catalog.metadata, properties };
}

const rowsAt = async (snapshotId?: bigint): Promise<string[]> =>
  (await lake.rows(snapshotId === undefined ? {} : { snapshotId }))
    .map((row) => Object.values(row).join('|'))
    .sort();

async function manifestsAt(snapshotId?: bigint): Promise<ManifestFile[]> {
  const { snapshots } = lake.catalog.metadata;
  const snapshot = snapshots.find((one) => one['snapshot-id'] === snapshotId);
  return snapshotManifests(lake.context.objects, snapshot ?? currentSnapshot(lake.catalog.metadata)!);
}

interface Ids {
  readonly status: string;
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  readonly fileSequenceNumber: number;
}

/** Ids of the files that a snapshot lists, by path. */
async function filesOf(snapshotId?: bigint): Promise<Map<string, Ids>> {
  const files = new Map<string, Ids>();
  for (const manifest of await manifestsAt(snapshotId)) {
    for (const { entry } of await manifestEntries(lake.context.objects, manifest)) {
      const { status, snapshotId: id, sequenceNumber, fileSequenceNumber, dataFile } = entry;
      // `added` says: by the snapshot that the manifest is of.
      if (status !== 'existing') expect(id).toBe(manifest.addedSnapshotId);
      files.set(dataFile.filePath, { status, snapshotId: id, sequenceNumber, fileSequenceNumber });
    }
  }
  return files;
}

const append = (rows: readonly Row[]) => appendSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(rows) });

describe('merged manifests', () => {
  const row = fc.tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom('a', 'b'),
  );
  const rows = fc.uniqueArray(row, { minLength: 1, maxLength: 4, selector: ([, k]) => k });
  const step = fc.record({
    op: fc.constantFrom('append', 'append', 'overwrite', 'delete', 'upsert'),
    rows,
    mode: fc.constantFrom('merge-on-read', 'copy-on-write'),
  });

  it('say what the unmerged ones said, in every snapshot, after any changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
        await lake.close();
        lake = await openTestLake(SCHEMA, SPEC);
        let model: readonly Row[] = [];
        const seen: [bigint, string[]][] = [];
        for (const { op, rows: batch, mode } of steps) {
          setProperties({ 'commit.manifest.min-count-to-merge': '2', 'write.delete.mode': mode });
          const before = currentSnapshot(lake.catalog.metadata) ? await filesOf() : new Map<string, Ids>();
          const keys = new Set(batch.map(([, k]) => k));
          const days = new Set(batch.map(([p]) => p));
          if (op === 'append') await append(batch);
          if (op === 'overwrite')
            await overwriteSelect(lake.context, lake.engine, TABLE, { sql: sqlOf(batch) });
          if (op === 'delete')
            await deleteWhere(lake.context, lake.engine, TABLE, { where: `k IN (${[...keys].join(', ')})` });
          if (op === 'upsert')
            await upsertSelect(lake.context, lake.engine, TABLE, {
              sql: sqlOf(batch),
              keys: ['k'],
              mode: mode === 'merge-on-read' ? 'merge-on-read' : 'copy-on-write',
            }).catch((error: unknown) => {
              // Appends may have made a key ambiguous, which an upsert refuses.
              if (!String(error).includes('LakeError')) throw error;
            });
          const now = currentSnapshot(lake.catalog.metadata);
          if (!now) continue;
          const committed = seen.at(-1)?.[0] !== now['snapshot-id'];
          if (committed && op === 'overwrite') model = [...model.filter(([p]) => !days.has(p)), ...batch];
          else if (committed && op === 'append') model = [...model, ...batch];
          else if (committed) {
            model = model.filter(([, k]) => !keys.has(k));
            if (op === 'upsert') model = [...model, ...batch];
          }
          expect(await rowsAt()).toEqual(textOf(model));
          if (committed) seen.push([now['snapshot-id'], textOf(model)]);
          for (const [path, ids] of await filesOf()) {
            const parent = before.get(path);
            if (parent === undefined || ids.status === 'deleted') continue;
            expect({ ...ids, status: '' }).toEqual({ ...parent, status: '' });
          }
        }
        for (const [id, expected] of seen) expect(await rowsAt(id)).toEqual(expected);
        const merged = (await manifestsAt()).filter((file) => file.existingFilesCount > 1);
        if (seen.length > 6) expect((await manifestsAt()).length - merged.length).toBeLessThan(8);
      }),
      { numRuns: 8 },
    );
  });

  it('drop what earlier snapshots deleted, and keep what this one deletes', async () => {
    await append([[0, 1, 'a']]);
    await append([[1, 2, 'b']]);
    setProperties({ 'commit.manifest.min-count-to-merge': '2' });
    const gone = await deleteWhere(lake.context, lake.engine, TABLE, { where: 'p = 0' });
    const statuses = [...(await filesOf()).values()].map((file) => file.status).sort();
    expect(statuses).toEqual(['deleted', 'existing']);
    await append([[2, 3, 'c']]);
    expect([...(await filesOf()).values()].map((file) => file.status).sort()).toEqual(['added', 'existing']);
    expect([...(await filesOf(gone.snapshotId ?? 0n)).values()].map((file) => file.status)).toContain(
      'deleted',
    );
    expect(await manifestsAt()).toHaveLength(1);
  });

  it('leave position deletes on the files that they were written for', async () => {
    for (const n of [1, 2])
      await append([
        [0, n, 'a'],
        [0, n + 10, 'b'],
      ]);
    await deleteWhere(lake.context, lake.engine, TABLE, { where: 'k = 1' });
    // Younger than the delete, and in its partition: the delete must not reach it through a renumbered entry.
    await append([
      [0, 1, 'again'],
      [0, 5, 'c'],
    ]);
    await append([[0, 6, 'd']]);
    await deleteWhere(lake.context, lake.engine, TABLE, { where: 'k = 12' });
    await append([[0, 7, 'e']]);
    const manifests = await manifestsAt();
    expect(manifests.some((file) => file.existingFilesCount >= 3 && file.content === 'data')).toBe(true);
    expect(await rowsAt()).toEqual(
      textOf([
        [0, 1, 'again'],
        [0, 2, 'a'],
        [0, 5, 'c'],
        [0, 6, 'd'],
        [0, 7, 'e'],
        [0, 11, 'b'],
      ]),
    );
  });

  it('merge anew on what another writer committed meanwhile', async () => {
    await append([[0, 1, 'a']]);
    await append([[0, 2, 'b']]);
    lake.catalog.faults.push({ before: async () => void (await append([[0, 3, 'theirs']])) });
    const done = await append([[0, 4, 'ours']]);
    expect(done.attempts).toBe(2);
    expect(await rowsAt()).toEqual(
      textOf([
        [0, 1, 'a'],
        [0, 2, 'b'],
        [0, 3, 'theirs'],
        [0, 4, 'ours'],
      ]),
    );
    const added = [...(await filesOf()).values()].filter((file) => file.snapshotId === done.snapshotId);
    expect(added).toEqual([
      {
        status: 'added',
        snapshotId: done.snapshotId,
        sequenceNumber: lake.catalog.metadata['last-sequence-number'],
        fileSequenceNumber: lake.catalog.metadata['last-sequence-number'],
      },
    ]);
  });

  it('are found after a lost answer, and not committed twice', async () => {
    await append([[0, 1, 'a']]);
    await append([[0, 2, 'b']]);
    lake.catalog.faults.push({ outcome: 'lost' });
    await append([[0, 3, 'c']]);
    expect(await rowsAt()).toEqual(
      textOf([
        [0, 1, 'a'],
        [0, 2, 'b'],
        [0, 3, 'c'],
      ]),
    );
  });

  it('are not made where the table says so', async () => {
    setProperties({ 'commit.manifest-merge.enabled': 'false', 'commit.manifest.min-count-to-merge': '2' });
    for (const n of [1, 2, 3]) await append([[0, n, 'a']]);
    expect(await manifestsAt()).toHaveLength(3);
  });
});

describe('planMerge', () => {
  const manifest = fc.record({
    manifestLength: fc.integer({ min: 1, max: 60 }),
    partitionSpecId: fc.integer({ min: 0, max: 1 }),
    content: fc.constantFrom('data' as const, 'deletes' as const),
    addedFilesCount: fc.constantFrom(-1, 0, 1),
    existingFilesCount: fc.constantFrom(-1, 0, 1),
    addedSnapshotId: fc.constantFrom(1n, 2n),
    encrypted: fc.boolean(),
  });
  const fileOf = (
    one: typeof manifest extends fc.Arbitrary<infer T> ? T : never,
    at: number,
  ): ManifestFile => ({
    ...one,
    manifestPath: `m${at}`,
    sequenceNumber: 1,
    minSequenceNumber: 1,
    deletedFilesCount: 0,
    addedRowsCount: 0,
    existingRowsCount: 0,
    deletedRowsCount: 0,
    ...(one.encrypted ? { keyMetadata: new Uint8Array([1]) } : {}),
  });

  it('puts every manifest that may list something live, or is of this snapshot, into one bin of its kind', () => {
    fc.assert(
      fc.property(
        fc.array(manifest, { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 120 }),
        (some, minCount, targetBytes) => {
          const files = some.map(fileOf);
          const bins = planMerge(files, { enabled: true, minCount, targetBytes }, 2n);
          const wanted = files.filter(
            (one) => one.addedSnapshotId === 2n || one.addedFilesCount !== 0 || one.existingFilesCount !== 0,
          );
          expect(
            bins
              .flat()
              .map((one) => one.manifestPath)
              .sort(),
          ).toEqual(wanted.map((one) => one.manifestPath).sort());
          for (const bin of bins.filter((one) => one.length > 1)) {
            expect(new Set(bin.map((one) => `${one.content} ${one.partitionSpecId}`)).size).toBe(1);
            expect(bin.some((one) => one.keyMetadata !== undefined)).toBe(false);
            expect(bin.reduce((sum, one) => sum + one.manifestLength, 0)).toBeLessThanOrEqual(targetBytes);
          }
        },
      ),
    );
  });

  it('takes no property that is no count', () => {
    expect(() => mergeRules({ 'commit.manifest.min-count-to-merge': '0' })).toThrow('min-count-to-merge');
    expect(() => mergeRules({ 'commit.manifest.target-size-bytes': '8MB' })).toThrow('target-size-bytes');
    expect(mergeRules({})).toEqual({ enabled: true, minCount: 100, targetBytes: 8_388_608 });
  });
});
