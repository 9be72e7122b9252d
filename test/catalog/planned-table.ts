import type { LoadedTable, TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { type DataFile, type ManifestEntry, writeManifest } from '../../src/iceberg/manifest.ts';
import {
  type ManifestFile,
  readManifestList,
  summarizeManifest,
  writeManifestList,
} from '../../src/iceberg/manifest-list.ts';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { currentSchema, currentSnapshot, defaultSpec } from '../../src/iceberg/table-metadata.ts';
import { encodeValue } from '../../src/iceberg/values.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { CatalogUnderTest } from './lake.ts';
import { fileAt } from './lake.ts';
import type { Answer, Wire } from './wire.ts';

export const P = { namespace: ['n'], name: 'planned' };
export const PATH = '/v1/namespaces/n/tables/planned';
export const PLANNED_SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'day', required: false, type: 'date' },
    { id: 3, name: 'Name', required: false, type: 'string' },
  ],
};

/** A table partitioned by day and by a bucket of the id. */
export async function plannedTable(
  { catalog }: CatalogUnderTest,
  identifier: TableIdentifier = P,
): Promise<LoadedTable> {
  if (!(await catalog.namespaceExists(identifier.namespace)))
    await catalog.createNamespace(identifier.namespace);
  const spec = buildPartitionSpec(PLANNED_SCHEMA, [
    { source: 'day', transform: 'day' },
    { source: 'id', transform: 'bucket[4]' },
  ]);
  return catalog.createTable(identifier.namespace, {
    name: identifier.name,
    schema: PLANNED_SCHEMA,
    'partition-spec': spec,
  });
}

/** A data file of one partition whose ids lie from `ids[0]` to `ids[1]`. */
export function dataFile(
  path: string,
  partition: DataFile['partition'],
  ids: readonly [bigint, bigint] = [0n, 9n],
): DataFile {
  const [lower, upper] = ids.map((id) => encodeValue('long', id));
  return fileAt(path, {
    partition,
    recordCount: 10,
    columnSizes: new Map([[1, 80]]),
    valueCounts: new Map([[1, 10]]),
    nullValueCounts: new Map([[1, 0]]),
    lowerBounds: new Map([[1, lower!]]),
    upperBounds: new Map([[1, upper!]]),
    splitOffsets: [4],
    sortOrderId: 0,
  });
}

export interface Change {
  /** One manifest each. */
  readonly manifests: readonly (readonly DataFile[])[];
  readonly operation?: Snapshot['summary']['operation'];
  /** Manifests of the parent are kept; default true. */
  readonly keeps?: boolean;
  /** The row id that each manifest begins with, in v3. */
  readonly firstRowId?: number;
}

/** Commits a snapshot made of these manifests on what main is at. */
export async function change(
  { catalog, objects }: Pick<CatalogUnderTest, 'catalog' | 'objects'>,
  table: LoadedTable,
  id: bigint,
  { manifests, operation = 'append', keeps = true }: Change,
): Promise<LoadedTable> {
  const { metadata } = table;
  const parent = currentSnapshot(metadata);
  const sequenceNumber = metadata['last-sequence-number'] + 1;
  const kept = keeps && parent ? [...readManifestList(await objects.get(parent['manifest-list']))] : [];
  const added: ManifestFile[] = [];
  for (const [at, files] of manifests.entries()) {
    added.push(await manifestOf(objects, table, `m-${id}-${at}`, id, sequenceNumber, files));
  }
  const list = `${metadata.location}/metadata/snap-${id}.avro`;
  const parentSnapshotId = parent?.['snapshot-id'] ?? null;
  const header = { snapshotId: id, parentSnapshotId, sequenceNumber, formatVersion: 2 } as const;
  await objects.put(list, writeManifestList(header, [...kept, ...added]));
  return catalog.commitTable({
    identifier: table.identifier,
    requirements: [],
    updates: [
      {
        action: 'add-snapshot',
        snapshot: {
          'snapshot-id': id,
          ...(parentSnapshotId === null ? {} : { 'parent-snapshot-id': parentSnapshotId }),
          'sequence-number': sequenceNumber,
          'timestamp-ms': metadata['last-updated-ms'] + 1,
          'manifest-list': list,
          summary: { operation },
          'schema-id': metadata['current-schema-id'],
        },
      },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ],
  });
}

async function manifestOf(
  objects: ObjectStore,
  { metadata }: LoadedTable,
  name: string,
  snapshotId: bigint,
  sequenceNumber: number,
  files: readonly DataFile[],
): Promise<ManifestFile> {
  const [schema, spec] = [currentSchema(metadata), defaultSpec(metadata)];
  const content = files.some((file) => file.content !== 'data') ? 'deletes' : 'data';
  const entries = files.map(
    (one): ManifestEntry => ({
      status: 'added',
      snapshotId,
      sequenceNumber: null,
      fileSequenceNumber: null,
      dataFile: one,
    }),
  );
  const bytes = writeManifest({ schema, spec, content, formatVersion: 2, entries });
  const path = `${metadata.location}/metadata/${name}.avro`;
  await objects.put(path, bytes);
  const length = bytes.length;
  return summarizeManifest({ path, length, spec, schema, content, snapshotId, sequenceNumber, entries });
}

export interface PlannedFile {
  readonly path: string;
  readonly deletes: readonly string[];
  readonly residual: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is asserted on, member by member
  readonly file: any;
}

/** All files of a plan, its tasks fetched to the end. */
export async function planned(
  wire: Wire,
  body: unknown = {},
  over: { readonly path?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<PlannedFile[]> {
  const { path = PATH, headers = {} } = over;
  const first = await wire.send('POST', `${path}/plan`, body, headers);
  if (first.status !== 200) throw new Error(JSON.stringify(first.body));
  const files = filesOf(first);
  const waiting = [...(first.body['plan-tasks'] ?? [])];
  for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
    const answer = await wire.send('POST', `${path}/tasks`, { 'plan-task': task }, headers);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    files.push(...filesOf(answer));
    waiting.push(...(answer.body['plan-tasks'] ?? []));
  }
  return files;
}

// biome-ignore-start lint/suspicious/noExplicitAny: see above
function filesOf({ body }: Answer): PlannedFile[] {
  const deletes: string[] = (body['delete-files'] ?? []).map((one: any) => one['file-path']);
  return (body['file-scan-tasks'] ?? []).map((task: any) => ({
    path: task['data-file']['file-path'],
    deletes: (task['delete-file-references'] ?? []).map((at: number) => deletes[at]).sort(),
    residual: task['residual-filter'],
    file: task['data-file'],
  }));
}
// biome-ignore-end lint/suspicious/noExplicitAny: see above
