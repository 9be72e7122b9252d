import { LakeError } from '../errors.ts';
import { DeleteIndex, type DeleteTask } from '../iceberg/delete-index.ts';
import type { Expression } from '../iceberg/expressions.ts';
import { bind } from '../iceberg/expressions.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import { fileMayMatch, manifestMayMatch, partitionMayMatch } from '../iceberg/pruning.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import {
  currentSchema,
  currentSnapshot,
  snapshotAsOf,
  snapshotById,
  snapshotForRef,
  snapshotSchema,
  specById,
  type TableMetadata,
} from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { manifestEntries, readManifestContent, snapshotManifests } from './manifests.ts';
import type { Table } from './table.ts';

export type { DeleteTask } from '../iceberg/delete-index.ts';

/** A data file to read, with the delete files that apply to it. */
export interface ScanTask {
  /** Without column metrics where the scan has no filter: nothing of a scan is written to a manifest. */
  readonly dataFile: DataFile;
  readonly spec: PartitionSpec;
  readonly sequenceNumber: number;
  readonly deletes: readonly DeleteTask[];
}

export interface TableScan {
  /** The table's name, for messages. */
  readonly table: string;
  readonly metadata: TableMetadata;
  /** The columns that the scan shows: of the snapshot where one was asked for by id, time or tag, else the current ones. */
  readonly schema: Schema;
  /** Absent for a table without a snapshot, which has no rows. */
  readonly snapshot?: Snapshot;
  readonly tasks: readonly ScanTask[];
}

/** At most one of `snapshotId`, `asOf` (ms since 1970) and `ref`; none of them is the branch `main`. */
export interface ScanOptions {
  readonly snapshotId?: bigint;
  readonly asOf?: number;
  readonly ref?: string;
  /** Files without a row that can match are left out; rows are not filtered. */
  readonly filter?: Expression;
}

/** The snapshot and the schema that a read sees (spec: "Snapshot References"; time travel shows the snapshot's own schema). */
export function scanTarget(
  metadata: TableMetadata,
  options: ScanOptions,
): { schema: Schema; snapshot: Snapshot | undefined } {
  if (options.snapshotId !== undefined) {
    const snapshot = snapshotById(metadata, options.snapshotId);
    if (!snapshot)
      throw new LakeError('not-found', `There is no snapshot ${options.snapshotId}`, {
        hint: "Look at the table's history.",
      });
    return { snapshot, schema: snapshotSchema(metadata, snapshot) };
  }
  if (options.asOf !== undefined) {
    const snapshot = snapshotAsOf(metadata, options.asOf);
    if (!snapshot) {
      throw new LakeError('not-found', 'The table had no snapshot yet at that time, or it has been expired', {
        hint: "Look at the table's history.",
      });
    }
    return { snapshot, schema: snapshotSchema(metadata, snapshot) };
  }
  const ref = options.ref ?? MAIN_BRANCH;
  if (ref === MAIN_BRANCH) return { snapshot: currentSnapshot(metadata), schema: currentSchema(metadata) };
  const snapshot = snapshotForRef(metadata, ref);
  if (!snapshot)
    throw new LakeError('not-found', `There is no branch or tag "${ref}"`, {
      hint: "Look at the table's refs.",
    });
  const isBranch = metadata.refs[ref]?.type === 'branch';
  return { snapshot, schema: isBranch ? currentSchema(metadata) : snapshotSchema(metadata, snapshot) };
}

/**
 * Plans a read: the data files of a snapshot that may hold a matching row, each with the deletes that apply (spec: "Scan Planning").
 * Errors: `not-found` for a snapshot, ref or object that is not there, `corrupt`, `invalid-argument` for a filter on unknown columns.
 */
export async function planScan(table: Table, options: ScanOptions = {}): Promise<TableScan> {
  return planMetadataScan(table.name, table.metadata, table.context.objects, options);
}

/** `planScan` for metadata that stands by itself. */
export async function planMetadataScan(
  name: string,
  metadata: TableMetadata,
  objects: ObjectStore,
  options: ScanOptions = {},
): Promise<TableScan> {
  const { schema, snapshot } = scanTarget(metadata, options);
  if (!snapshot) return { table: name, metadata, schema, tasks: [] };
  const manifests = await snapshotManifests(objects, snapshot);
  const deletes = await loadDeletes(objects, manifests, metadata);
  const tasks = await dataTasks(objects, manifests, { metadata, schema, deletes, filter: options.filter });
  return { table: name, metadata, schema, snapshot, tasks };
}

async function loadDeletes(
  objects: ObjectStore,
  manifests: readonly ManifestFile[],
  metadata: TableMetadata,
): Promise<DeleteIndex> {
  const index = new DeleteIndex();
  for (const manifest of manifests) {
    if (manifest.content !== 'deletes') continue;
    for (const { entry } of await manifestEntries(objects, manifest)) {
      if (entry.status === 'deleted') continue;
      const spec = specById(metadata, manifest.partitionSpecId);
      index.add({ dataFile: entry.dataFile, spec, sequenceNumber: entry.sequenceNumber });
    }
  }
  return index;
}

interface DataTaskInput {
  readonly metadata: TableMetadata;
  readonly schema: Schema;
  readonly deletes: DeleteIndex;
  readonly filter: Expression | undefined;
}

async function dataTasks(
  objects: ObjectStore,
  manifests: readonly ManifestFile[],
  input: DataTaskInput,
): Promise<ScanTask[]> {
  const { metadata, schema, deletes } = input;
  const bound = input.filter === undefined ? undefined : bind(input.filter, schema);
  const tasks: ScanTask[] = [];
  for (const manifest of manifests) {
    if (manifest.content !== 'data') continue;
    const spec = specById(metadata, manifest.partitionSpecId);
    if (bound && !manifestMayMatch(bound, schema, spec, manifest)) continue;
    const { entries } = await readManifestContent(objects, manifest, { metrics: bound !== undefined });
    for (const entry of entries) {
      const { dataFile, sequenceNumber } = entry;
      if (entry.status === 'deleted') continue;
      if (
        bound &&
        !(partitionMayMatch(bound, schema, spec, dataFile.partition) && fileMayMatch(bound, schema, dataFile))
      )
        continue;
      tasks.push({
        dataFile,
        spec,
        sequenceNumber,
        deletes: deletes.applicable(dataFile, spec, sequenceNumber),
      });
    }
  }
  return tasks;
}
