import type { Catalog, LoadedTable } from '../../src/catalog-client/catalog.ts';
import {
  type DataFile,
  inheritEntry,
  type ManifestEntry,
  writeManifest,
} from '../../src/iceberg/manifest.ts';
import { type ManifestFile, summarizeManifest, writeManifestList } from '../../src/iceberg/manifest-list.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { currentSchema, defaultSpec, snapshotById } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { buildFence, type Fence } from '../../src/tiering/fence.ts';
import { type CatalogUnderTest, fileAt, newTable } from './lake.ts';

export const T = { namespace: ['n'], name: 't' };
export const GRACE_MS = 1000;
export const OLD = { p: 'file:///lake/n/t/hot/p.parquet', h: 'file:///lake/n/t/hot/h.parquet' };
export const NEW = { p: 'file:///lake/n/t/warm/p.parquet', h: 'file:///lake/n/t/warm/h.parquet' };
/** Snapshots: P, then H on it, then the move's fence. */
export const ID = { p: 10n, h: 11n, fence: 12n };

type Call = <R>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<R>;

/** A request below the catalog's own prefix. */
export function lakeCall(catalog: Catalog): Call {
  return (method, path, body) => catalog.extension(method, `/lake/v1/${path}`, body);
}

export interface NewManifest {
  readonly name: string;
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  readonly files: readonly DataFile[];
  readonly status?: ManifestEntry['status'];
}

/** Writes a manifest into the table's metadata folder. */
export async function putManifest(
  objects: ObjectStore,
  { metadata }: LoadedTable,
  manifest: NewManifest,
): Promise<ManifestFile> {
  const { snapshotId, sequenceNumber, files, status = 'added' } = manifest;
  const [schema, spec] = [currentSchema(metadata), defaultSpec(metadata)];
  const content = files.some((file) => file.content !== 'data') ? 'deletes' : 'data';
  const entries = files.map((dataFile): ManifestEntry => {
    const number = status === 'added' ? null : sequenceNumber;
    return { status, snapshotId, sequenceNumber: number, fileSequenceNumber: number, dataFile };
  });
  const bytes = writeManifest({ schema, spec, content, formatVersion: 2, entries });
  const path = `${metadata.location}/metadata/${manifest.name}.avro`;
  await objects.put(path, bytes);
  const length = bytes.length;
  return summarizeManifest({ path, length, spec, schema, content, snapshotId, sequenceNumber, entries });
}

/** Writes a manifest list; the snapshot of it stands on `parent`. */
export async function putSnapshot(
  objects: ObjectStore,
  { metadata }: LoadedTable,
  made: {
    readonly id: bigint;
    readonly parent?: bigint | undefined;
    readonly sequenceNumber: number;
    readonly manifests: readonly ManifestFile[];
    readonly operation?: Snapshot['summary']['operation'];
    readonly list?: string;
  },
): Promise<Snapshot> {
  const { id, parent, sequenceNumber, manifests } = made;
  const list = `${metadata.location}/metadata/${made.list ?? `snap-${id}`}.avro`;
  const header = {
    snapshotId: id,
    parentSnapshotId: parent ?? null,
    sequenceNumber,
    formatVersion: 2,
  } as const;
  await objects.put(list, writeManifestList(header, manifests));
  return {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': metadata['last-updated-ms'] + 1,
    'manifest-list': list,
    summary: { operation: made.operation ?? 'append' },
    'schema-id': 0,
  };
}

export const addSnapshot = (snapshot: Snapshot): TableUpdate => ({ action: 'add-snapshot', snapshot });
export const setBranch = (name: string, id: bigint): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': name,
  type: 'branch',
  'snapshot-id': id,
});

/** Commits updates to the table without a requirement: what is left is the catalog's own check. */
export function commit(catalog: Catalog, updates: readonly TableUpdate[]): Promise<LoadedTable> {
  return catalog.commitTable({ identifier: T, requirements: [], updates });
}

/** A lease on the table and a relocation begun under it. */
export async function beginMove(
  catalog: Catalog,
  table: LoadedTable,
  id: string,
): Promise<{ readonly leaseId: string; readonly call: Call }> {
  const call = lakeCall(catalog);
  const uuid = table.metadata['table-uuid'];
  const lease = { 'table-uuid': uuid, holder: 'test', 'ttl-ms': 600_000 };
  const leaseId = (await call<{ 'lease-id': string }>('POST', 'leases', lease))['lease-id'];
  await call('POST', 'relocations', {
    'relocation-id': id,
    'lease-id': leaseId,
    namespace: T.namespace,
    table: T.name,
    'table-uuid': uuid,
    'grace-ms': GRACE_MS,
    plan: null,
  });
  return { leaseId, call };
}

export interface MovedTable {
  /** The table before the move. */
  readonly before: LoadedTable;
  /** The table after it: P and H with rewritten manifests, and the fence as head of main. */
  readonly after: LoadedTable;
  /** Manifests before the move. */
  readonly stale: { readonly p: ManifestFile; readonly h: ManifestFile };
  /** Manifests after it. */
  readonly moved: { readonly p: ManifestFile; readonly h: ManifestFile };
}

/** A table of two snapshots, both of whose files moved. */
export async function movedTable(under: CatalogUnderTest): Promise<MovedTable> {
  const { catalog, objects } = under;
  const created = await newTable(catalog, T, { 'write.data.path': 'file:///lake/n/t' });
  const put = (name: string, snapshotId: bigint, sequenceNumber: number, path: string) =>
    putManifest(objects, created, { name, snapshotId, sequenceNumber, files: [fileAt(path)] });
  const stale = { p: await put('p', ID.p, 1, OLD.p), h: await put('h', ID.h, 2, OLD.h) };
  const p = await putSnapshot(objects, created, { id: ID.p, sequenceNumber: 1, manifests: [stale.p] });
  const onP = { id: ID.h, parent: ID.p, sequenceNumber: 2 };
  const h = await putSnapshot(objects, created, { ...onP, manifests: [stale.p, stale.h] });
  await commit(catalog, [addSnapshot(p), setBranch('main', ID.p)]);
  const before = await commit(catalog, [addSnapshot(h), setBranch('main', ID.h)]);

  const { leaseId, call } = await beginMove(catalog, before, 'r1');
  const moved = { p: await put('p-moved', ID.p, 1, NEW.p), h: await put('h-moved', ID.h, 2, NEW.h) };
  const newP = await putSnapshot(objects, before, {
    ...p,
    id: ID.p,
    sequenceNumber: 1,
    manifests: [moved.p],
    list: 'snap-p-moved',
  });
  const newH = await putSnapshot(objects, before, {
    ...onP,
    manifests: [moved.p, moved.h],
    list: 'snap-h-moved',
  });
  const moves = [
    ...(['p', 'h'] as const).map((one) => ({ from: OLD[one], to: NEW[one], kind: 'data', size: 10 })),
    { from: stale.p.manifestPath, to: moved.p.manifestPath, kind: 'manifest', size: 1 },
    { from: stale.h.manifestPath, to: moved.h.manifestPath, kind: 'manifest', size: 1 },
    { from: p['manifest-list'], to: newP['manifest-list'], kind: 'manifest-list', size: 1 },
    { from: h['manifest-list'], to: newH['manifest-list'], kind: 'manifest-list', size: 1 },
  ];
  await call('POST', 'relocations/r1/moves', { 'lease-id': leaseId, moves });
  const fence = await putFence(objects, before, ID.h, ID.fence, [moved.p, moved.h], [OLD.p, OLD.h]);
  await call('POST', 'relocations/r1/swap', {
    'lease-id': leaseId,
    'base-metadata-location': before.metadataLocation,
    snapshots: [newP, newH].map((one) => ({
      'snapshot-id': one['snapshot-id'],
      'manifest-list': one['manifest-list'],
    })),
    fences: [{ ref: 'main', snapshot: fence.snapshot }],
    retired: [],
  });
  await call('DELETE', `leases/${leaseId}`);
  return { before, after: await catalog.loadTable(T), stale, moved };
}

/** A fence as src/tiering makes it, on any snapshot of the table. */
export async function putFence(
  objects: ObjectStore,
  table: LoadedTable,
  on: bigint,
  id: bigint,
  manifests: readonly ManifestFile[],
  tombstones: readonly string[],
): Promise<Fence> {
  const { metadata } = table;
  const content = { schema: currentSchema(metadata), spec: defaultSpec(metadata) };
  const head = snapshotById(metadata, on);
  if (head === undefined || manifests[0] === undefined) throw new Error(`no snapshot ${on}`);
  const [listed] = manifests;
  const fence = buildFence({
    ref: 'main',
    snapshotId: id,
    sequenceNumber: metadata['last-sequence-number'] + 1,
    relocationId: 'r1',
    nowMs: metadata['last-updated-ms'],
    metadata,
    head,
    manifests,
    retired: tombstones.map((path) => ({
      entry: inheritEntry(
        {
          status: 'added',
          snapshotId: ID.p,
          sequenceNumber: 1,
          fileSequenceNumber: 1,
          dataFile: fileAt(path),
        },
        listed,
      ),
      content,
    })),
    place: (name) => `${metadata.location}/metadata/${id}-${name}`,
  });
  for (const object of fence.objects) await objects.put(object.location, object.bytes);
  return fence;
}
