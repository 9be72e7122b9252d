import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCatalogServer } from '../../catalog/server.ts';
import type { Catalog, LoadedTable, TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type DataFile, type ManifestEntry, writeManifest } from '../../src/iceberg/manifest.ts';
import { summarizeManifest, writeManifestList } from '../../src/iceberg/manifest-list.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { currentSchema, currentSnapshot, defaultSpec } from '../../src/iceberg/table-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { openStore } from '../../src/storage/store.ts';

export interface CatalogUnderTest {
  readonly catalog: Catalog;
  readonly objects: ObjectStore;
  readonly folder: string;
  readonly database: string;
  /** Another client of the same catalog. */
  another(): Promise<Catalog>;
  dispose(): Promise<void>;
}

export const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'name', required: false, type: 'string' },
  ],
};

/** Where data files are said to lie that nobody reads. */
export const ELSEWHERE: readonly string[] = ['file:///lake'];

async function folderOf(place?: string): Promise<{ folder: string; database: string; warehouse: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-catalog-'));
  return { folder, database: place ?? join(folder, 'catalog.db'), warehouse: `file://${folder}/hot` };
}

/** @param place the database: of PostgreSQL, or by default a SQLite file of its own */
export async function embedded(clock: Clock = systemClock, place?: string): Promise<CatalogUnderTest> {
  const { folder, database, warehouse } = await folderOf(place);
  const opened: Catalog[] = [];
  const another = async () => {
    const catalog = await openEmbeddedCatalog({ database, warehouse, allowedLocations: ELSEWHERE, clock });
    opened.push(catalog);
    return catalog;
  };
  return {
    catalog: await another(),
    objects: openStore(),
    folder,
    database,
    another,
    dispose: async () => {
      for (const catalog of opened) await catalog.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function served(clock: Clock = systemClock, place?: string): Promise<CatalogUnderTest> {
  const { folder, database, warehouse } = await folderOf(place);
  const server = await startCatalogServer({
    database,
    warehouse,
    allowedLocations: ELSEWHERE,
    host: '127.0.0.1',
    port: 0,
    clock,
  });
  const another = async () => new RestCatalog({ uri: server.address });
  return {
    catalog: await another(),
    objects: openStore(),
    folder,
    database,
    another,
    dispose: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A data file entry; nothing lies behind the path. */
export function fileAt(path: string, over: Partial<DataFile> = {}): DataFile {
  return {
    content: 'data',
    filePath: path,
    fileFormat: 'parquet',
    partition: [],
    recordCount: 1,
    fileSizeInBytes: 10,
    ...over,
  };
}

/** Writes manifest and manifest list of a snapshot that follows the table's head, ready to be committed. */
export async function stageSnapshot(
  objects: ObjectStore,
  table: LoadedTable,
  files: readonly DataFile[],
  snapshotId: bigint,
): Promise<Snapshot> {
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const spec = defaultSpec(metadata);
  const content = files[0]?.content === 'data' ? 'data' : 'deletes';
  const entries: ManifestEntry[] = files.map((dataFile) => ({
    status: 'added',
    snapshotId,
    sequenceNumber: null,
    fileSequenceNumber: null,
    dataFile,
  }));
  const sequenceNumber = metadata['last-sequence-number'] + 1;
  const bytes = writeManifest({ schema, spec, content, formatVersion: 2, entries });
  const manifestPath = `${metadata.location}/metadata/m-${snapshotId}.avro`;
  await objects.put(manifestPath, bytes);
  const manifest = summarizeManifest({
    path: manifestPath,
    length: bytes.length,
    spec,
    schema,
    content,
    snapshotId,
    sequenceNumber,
    entries,
  });
  const parent = currentSnapshot(metadata);
  const list = `${metadata.location}/metadata/snap-${snapshotId}.avro`;
  const parentSnapshotId = parent?.['snapshot-id'] ?? null;
  await objects.put(
    list,
    writeManifestList({ snapshotId, parentSnapshotId, sequenceNumber, formatVersion: 2 }, [manifest]),
  );
  return {
    'snapshot-id': snapshotId,
    ...(parentSnapshotId === null ? {} : { 'parent-snapshot-id': parentSnapshotId }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': metadata['last-updated-ms'] + 1,
    'manifest-list': list,
    summary: { operation: 'append' },
    'schema-id': 0,
  };
}

/** Commits a snapshot to main, with the assertion that main is where it was. */
export async function commitSnapshot(
  catalog: Catalog,
  table: LoadedTable,
  snapshot: Snapshot,
): Promise<LoadedTable> {
  const parent = snapshot['parent-snapshot-id'] ?? null;
  return catalog.commitTable({
    identifier: table.identifier,
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent }],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        action: 'set-snapshot-ref',
        'ref-name': 'main',
        type: 'branch',
        'snapshot-id': snapshot['snapshot-id'],
      },
    ],
  });
}

export async function newTable(
  catalog: Catalog,
  identifier: TableIdentifier,
  properties: Readonly<Record<string, string>> = {},
): Promise<LoadedTable> {
  if (!(await catalog.namespaceExists(identifier.namespace)))
    await catalog.createNamespace(identifier.namespace);
  return catalog.createTable(identifier.namespace, {
    name: identifier.name,
    schema: SCHEMA,
    properties,
  });
}
