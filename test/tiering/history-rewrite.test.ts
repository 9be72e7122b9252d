import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { readManifestContent } from '../../src/table/manifests.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { describeRewritten } from '../../src/tiering/delete-rewrite.ts';
import { normalLocation } from '../../src/tiering/normal-location.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';
import { readHistory } from '../../src/tiering/table-history.ts';
import { append, createTable, type MovingLake, nameOf, openMovingLake, remove, tag } from './moving-lake.ts';

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

const TEXT = `version: 1
policies: [ { name: all, match: { layer: gold }, transitions: [ { to: warm, after: 1d } ] } ]
`;

async function moveAll(): Promise<void> {
  const loaded = loadPolicies([{ file: 'p.yaml', text: TEXT }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  const { relocations } = await applyPlan(lake, await planMoves(lake, loaded.set, lake.clock.now()));
  expect(relocations).toMatchObject([{ state: 'swapped' }]);
}

/** All that a move must leave as it is, by snapshot: everything but paths, lengths and path bounds. */
async function unmoved() {
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  const history = await readHistory(lake.objects, metadata);
  const seen = [];
  for (const { snapshot, manifests } of history.snapshots) {
    if (snapshot.summary[FENCE_PROPERTY] !== undefined) continue;
    const { 'manifest-list': _list, ...kept } = snapshot;
    const lists = [];
    for (const file of manifests) {
      const { manifestPath: _path, manifestLength: _length, ...rest } = file;
      const { entries, schema, spec } = await readManifestContent(lake.objects, file);
      lists.push({ rest, schema, spec, entries: entries.map(withoutPaths) });
    }
    seen.push({ kept, lists });
  }
  return seen;
}

type Entry = Awaited<ReturnType<typeof readManifestContent>>['entries'][number];

function withoutPaths({ dataFile, ...entry }: Entry) {
  if (dataFile.content === 'data') return { ...entry, dataFile: { ...dataFile, filePath: '' } };
  const { partition, recordCount, content, valueCounts } = dataFile;
  return { ...entry, partition, recordCount, content, valueCounts };
}

async function build(): Promise<void> {
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 16);
  await append(lake, 'moved', 16, 16);
  await remove(lake, 'moved', 'id IN (4, 20, 5)');
  await tag(lake, 'moved', 'kept');
  await remove(lake, 'moved', "ts < TIMESTAMPTZ '2001-01-02 00:00:00+00'");
}

test('history is rewritten one to one: order, status, ids, sequence numbers, counts, tuples stay', async () => {
  await build();
  const before = await unmoved();
  await moveAll();
  expect(await unmoved()).toEqual(before);
});

test('a fence holds the rewritten head and a tombstone for each retired data path, live at the head or not', async () => {
  await build();
  const old = await lake.catalog.loadTable(nameOf('moved'));
  const retired = await dataPaths(old.metadata.snapshots);
  await moveAll();
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  const fence = metadata.snapshots.find((one) => one.summary[FENCE_PROPERTY] !== undefined)!;
  const [tombstones, ...others] = (await manifestsOf(fence)).filter(
    (file) => file.addedSnapshotId === fence['snapshot-id'],
  );
  expect(others).toEqual([]);
  const { entries } = await readManifestContent(lake.objects, tombstones!);
  expect(new Set(entries.map((entry) => entry.dataFile.filePath))).toEqual(retired);
  expect(new Set(entries.map((entry) => entry.status))).toEqual(new Set(['deleted']));
  expect(entries.every((entry) => entry.snapshotId === fence['snapshot-id'])).toBe(true);
  expect(tombstones).toMatchObject({
    addedFilesCount: 0,
    existingFilesCount: 0,
    deletedFilesCount: retired.size,
  });
  const parent = metadata.snapshots.find((one) => one['snapshot-id'] === fence['parent-snapshot-id'])!;
  const paths = (await manifestsOf(fence)).map((file) => file.manifestPath);
  const headPaths = (await manifestsOf(parent)).map((file) => file.manifestPath);
  expect(paths).toEqual([...headPaths, tombstones?.manifestPath]);
  expect([...(await dataPaths(metadata.snapshots))].filter((path) => retired.has(path))).toEqual([]);
});

async function manifestsOf(snapshot: Snapshot) {
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  const history = await readHistory(lake.objects, { ...metadata, snapshots: [snapshot] });
  return history.snapshots[0]!.manifests;
}

async function dataPaths(snapshots: readonly Snapshot[]): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const snapshot of snapshots) {
    for (const file of await manifestsOf(snapshot)) {
      if (file.content !== 'data') continue;
      for (const { status, dataFile } of (await readManifestContent(lake.objects, file)).entries) {
        if (status !== 'deleted') paths.add(dataFile.filePath);
      }
    }
  }
  return paths;
}

test('a delete file tied to one data file stays tied, by whole equal bounds', () => {
  const path =
    'file:///lake/warm/gold/t/r/ts_day=2001-01-01/a-name-that-is-longer-than-sixteen-bytes.parquet';
  const file = {
    content: 'position-deletes' as const,
    filePath: 'file:///old',
    fileFormat: 'parquet',
    partition: [],
    recordCount: 2,
    fileSizeInBytes: 100,
    columnSizes: new Map([[2147483546, 50]]),
    lowerBounds: new Map([[2147483546, Buffer.from('file:///a')]]),
    upperBounds: new Map([[2147483546, Buffer.from('file:///a')]]),
    referencedDataFile: 'file:///a',
  };
  const rewritten = describeRewritten(file, 'file:///new', 120, [path]);
  expect(rewritten).toMatchObject({
    filePath: 'file:///new',
    fileSizeInBytes: 120,
    referencedDataFile: path,
    recordCount: 2,
  });
  expect(rewritten.lowerBounds?.get(2147483546)).toEqual(Buffer.from(path));
  expect(rewritten.upperBounds?.get(2147483546)).toEqual(Buffer.from(path));
  expect(rewritten.columnSizes).toEqual(new Map());
});

test('one object in several spellings is one object', () => {
  expect(normalLocation('file:/a//b')).toBe(normalLocation('file:///a/b'));
  expect(normalLocation('s3a://b/k')).toBe(normalLocation('s3://b/k'));
  expect(normalLocation('s3://b/%41')).not.toBe(normalLocation('s3://b/A'));
});
