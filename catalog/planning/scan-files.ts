import { DeleteIndex, type DeleteTask, scopeKey } from '../../src/iceberg/delete-index.ts';
import { filterKeepsFile, residualFilter } from '../../src/iceberg/filter-pruning.ts';
import type { DataFile, InheritedEntry } from '../../src/iceberg/manifest.ts';
import type { InheritedManifest } from '../../src/iceberg/manifest-content.ts';
import type { ManifestFile } from '../../src/iceberg/manifest-list.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { entryCount, FILES_PER_TASK, MANIFESTS_PER_TASK, outsideScan } from './cut-tasks.ts';
import type { ManifestPart } from './plan-token.ts';
import type { Scan } from './scan-request.ts';
import { listedManifests, openManifest, type PlannedObjects } from './table-manifests.ts';

/** A file of a scan, with the spec of its partition and the schema that its manifest was written with. */
export interface ScannedFile {
  readonly file: DataFile;
  readonly spec: PartitionSpec;
  readonly writtenSchema: Schema;
}

export interface ScannedData extends ScannedFile {
  readonly sequenceNumber: number;
  /** What is left of the scan's filter, `true` for nothing. Always told: Java's client fails without, PyIceberg counts rows by it. */
  readonly residual: unknown;
}

/** Data files with the deletes that apply to each, by their place in `deletes`. */
export interface ScannedFiles {
  readonly data: readonly { readonly data: ScannedData; readonly deletes: readonly number[] }[];
  readonly deletes: readonly ScannedFile[];
}

/**
 * The data files of some manifests that can hold matching rows, and their deletes (spec: "Scan Planning"). One manifest is in memory at a
 * time, besides the files that it found. Errors: `not-found`, `corrupt`.
 */
export async function scanFiles(
  objects: PlannedObjects,
  scan: Scan,
  parts: readonly ManifestPart[],
): Promise<ScannedFiles> {
  const data: ScannedData[] = [];
  const lists = new ManifestLists(objects, scan);
  const size = new TaskSize(parts);
  for (const part of parts) {
    const manifests = await lists.of(part.snapshotId);
    for (const at of part.manifests) {
      const manifest = manifests[at];
      if (manifest?.content !== 'data') throw outsideScan();
      size.add(manifest, part);
      data.push(...(await dataFiles(objects, scan, manifest, part)));
    }
  }
  return scan.incremental ? withoutDeletes(data) : withDeletes(objects, scan, data, lists);
}

/** Tokens are not signed: one that asks for more than `cutTasks` puts into a task would cost memory and time without end. */
class TaskSize {
  #files = 0;

  constructor(parts: readonly ManifestPart[]) {
    const manifests = parts.reduce((sum, part) => sum + part.manifests.length, 0);
    if (manifests > MANIFESTS_PER_TASK) throw outsideScan();
  }

  add(manifest: ManifestFile, { entries }: ManifestPart): void {
    const all = entryCount(manifest);
    this.#files +=
      entries === undefined ? all : Math.max(0, Math.min(entries.to ?? all, all || Infinity) - entries.from);
    if (this.#files > FILES_PER_TASK) throw outsideScan();
  }
}

class ManifestLists {
  readonly #objects: PlannedObjects;
  readonly #scan: Scan;
  #last: { readonly id: bigint; readonly manifests: readonly ManifestFile[] } | null = null;

  constructor(objects: PlannedObjects, scan: Scan) {
    this.#objects = objects;
    this.#scan = scan;
  }

  async of(snapshotId: bigint): Promise<readonly ManifestFile[]> {
    if (this.#last?.id === snapshotId) return this.#last.manifests;
    const snapshot = this.#scan.snapshots.find((one) => one['snapshot-id'] === snapshotId);
    if (snapshot === undefined) throw outsideScan();
    const manifests = await listedManifests(this.#objects, snapshot);
    this.#last = { id: snapshotId, manifests };
    return manifests;
  }
}

async function dataFiles(
  objects: PlannedObjects,
  scan: Scan,
  manifest: ManifestFile,
  { snapshotId, entries }: ManifestPart,
): Promise<ScannedData[]> {
  const { filter, schema, incremental } = scan;
  const opened = await openManifest(objects, manifest, {});
  const spec = specOf(scan, manifest, opened);
  const kept: ScannedData[] = [];
  for (const { at, entry, file } of withRowIds(opened, manifest)) {
    if (entries !== undefined && at < entries.from) continue;
    if (entries !== undefined && entries.to !== null && at >= entries.to) break;
    if (entry.status === 'deleted') continue;
    if (incremental && (entry.status !== 'added' || entry.snapshotId !== snapshotId)) continue;
    if (filter !== null && !filterKeepsFile(filter, schema, spec, file)) continue;
    kept.push({
      file: withWantedStats(file, scan.pinned.statsIds),
      spec,
      writtenSchema: opened.schema,
      sequenceNumber: entry.sequenceNumber,
      residual: filter === null || residualFilter(filter, schema, spec, file),
    });
  }
  return kept;
}

/** The entries by their place, row ids assigned where the manifest has some to give (spec: "First Row ID Inheritance"). */
function* withRowIds(
  { entries }: InheritedManifest,
  { firstRowId }: ManifestFile,
): Generator<{ readonly at: number; readonly entry: InheritedEntry; readonly file: DataFile }> {
  let at = 0;
  let next = firstRowId;
  for (const entry of entries) {
    let file = entry.dataFile;
    if (next !== undefined && entry.status !== 'deleted' && file.firstRowId === undefined) {
      file = { ...file, firstRowId: next };
      next += file.recordCount;
    }
    yield { at, entry, file };
    at += 1;
  }
}

/** Statistics are most of a file: those that nobody asked for are let go at once. */
function withWantedStats(file: DataFile, ids: readonly number[]): DataFile {
  const { columnSizes, valueCounts, nullValueCounts, nanValueCounts, lowerBounds, upperBounds, ...rest } =
    file;
  if (ids.length === 0) return rest;
  const wanted = <V>(name: string, map: ReadonlyMap<number, V> | undefined): object => {
    if (map === undefined) return {};
    return { [name]: new Map(ids.flatMap((id) => (map.has(id) ? [[id, map.get(id)]] : []))) };
  };
  return {
    ...rest,
    ...wanted('columnSizes', columnSizes),
    ...wanted('valueCounts', valueCounts),
    ...wanted('nullValueCounts', nullValueCounts),
    ...wanted('nanValueCounts', nanValueCounts),
    ...wanted('lowerBounds', lowerBounds),
    ...wanted('upperBounds', upperBounds),
  };
}

/** The table's spec; that of the manifest's header where the table has it no more. */
function specOf({ metadata }: Scan, manifest: ManifestFile, opened: InheritedManifest): PartitionSpec {
  const id = manifest.partitionSpecId;
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === id);
  return spec ?? { ...opened.spec, 'spec-id': id };
}

function withoutDeletes(data: readonly ScannedData[]): ScannedFiles {
  return { data: data.map((one) => ({ data: one, deletes: [] })), deletes: [] };
}

async function withDeletes(
  objects: PlannedObjects,
  scan: Scan,
  data: readonly ScannedData[],
  lists: ManifestLists,
): Promise<ScannedFiles> {
  const [snapshot] = scan.snapshots;
  if (snapshot === undefined || data.length === 0) return withoutDeletes(data);
  const written = new Map<DataFile, Schema>();
  const index = new DeleteIndex({
    paths: new Set(data.map(({ file }) => file.filePath)),
    scopes: new Set(data.map(({ file, spec }) => scopeKey(spec, file))),
  });
  const oldest = data.reduce((least, one) => Math.min(least, one.sequenceNumber), Number.POSITIVE_INFINITY);
  for (const manifest of await lists.of(snapshot['snapshot-id'])) {
    if (manifest.content !== 'deletes' || manifest.sequenceNumber < oldest) continue;
    const opened = await openManifest(objects, manifest, {});
    const spec = specOf(scan, manifest, opened);
    for (const { status, dataFile, sequenceNumber } of opened.entries) {
      if (status === 'deleted' || sequenceNumber < oldest) continue;
      if (index.add({ dataFile, spec, sequenceNumber })) written.set(dataFile, opened.schema);
    }
  }
  return referenced(data, index, written);
}

function referenced(
  data: readonly ScannedData[],
  index: DeleteIndex,
  written: ReadonlyMap<DataFile, Schema>,
): ScannedFiles {
  const deletes: ScannedFile[] = [];
  const places = new Map<DataFile, number>();
  const placeOf = ({ dataFile, spec }: DeleteTask): number => {
    const known = places.get(dataFile);
    if (known !== undefined) return known;
    const writtenSchema = written.get(dataFile) ?? { type: 'struct', 'schema-id': 0, fields: [] };
    places.set(dataFile, deletes.length);
    return deletes.push({ file: withWantedStats(dataFile, []), spec, writtenSchema }) - 1;
  };
  return {
    data: data.map((one) => ({
      data: one,
      deletes: index.applicable(one.file, one.spec, one.sequenceNumber).map(placeOf),
    })),
    deletes,
  };
}
