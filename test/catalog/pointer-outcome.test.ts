import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { type CatalogUnderTest, embedded, newTable, SCHEMA } from './lake.ts';
import { beginMove, OLD, putManifest, putSnapshot, setBranch, T } from './moved-table.ts';

let under: CatalogUnderTest;
let table: LoadedTable;
beforeEach(async () => {
  under = await embedded();
  table = await newTable(under.catalog, T);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await under.dispose();
});

/** What SQLite's result codes look like in node:sqlite. */
function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode });
}

/** The next COMMIT fails with `error`: before it is carried out, or after. */
function failCommit(error: Error, isApplied: boolean): void {
  const { exec } = DatabaseSync.prototype;
  let failed = false;
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
    if (sql !== 'COMMIT' || failed) return exec.call(this, sql);
    failed = true;
    if (isApplied) exec.call(this, sql);
    throw error;
  });
}

async function metadataFiles(objects: ObjectStore, location: string): Promise<string[]> {
  const found: string[] = [];
  for await (const page of objects.list(`${location}/metadata/`))
    found.push(...page.map((one) => one.location));
  return found.filter((name) => name.endsWith('.metadata.json')).sort();
}

const FAULTS = [
  ['an I/O error', sqliteError(10, 'disk I/O error')],
  ['an I/O error of fsync', sqliteError(1034, 'disk I/O error')],
  ['a lock', sqliteError(5, 'database is locked')],
  ['something else', new Error('a defect')],
] as const;

it.each(FAULTS.flatMap(([name, error]) => [true, false].map((applied) => [name, applied, error] as const)))(
  'says that the outcome is unknown and deletes nothing after %s at COMMIT (applied: %s)',
  async (_name, isApplied, error) => {
    const commit = {
      identifier: T,
      requirements: [],
      updates: [{ action: 'set-properties', updates: { k: '1' } }],
    } as const;
    failCommit(error, isApplied);
    await expect(under.catalog.commitTable(commit)).rejects.toMatchObject({
      kind: 'unknown-outcome',
      context: { status: 500, type: 'CommitStateUnknownException' },
    });
    expect(await metadataFiles(under.objects, table.metadata.location)).toHaveLength(2);
    const now = await under.catalog.loadTable(T);
    expect(now.metadata.properties).toEqual(isApplied ? { k: '1' } : {});
    // The next commit is not held up by what the failed one left.
    await under.catalog.commitTable({
      ...commit,
      updates: [{ action: 'set-properties', updates: { l: '2' } }],
    });
    expect((await under.catalog.loadTable(T)).metadata.properties).toMatchObject({ l: '2' });
  },
);

it('a full disk at COMMIT undoes it for certain, and still deletes nothing', async () => {
  failCommit(sqliteError(13, 'database or disk is full'), false);
  const updates = [{ action: 'set-properties', updates: { k: '1' } }] as const;
  const commit = { identifier: T, requirements: [], updates };
  await expect(under.catalog.commitTable(commit)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(await metadataFiles(under.objects, table.metadata.location)).toHaveLength(2);
  expect((await under.catalog.loadTable(T)).metadata.properties).toEqual({});
  await under.catalog.commitTable(commit);
});

it('keeps the metadata file of a create whose outcome is unknown', async () => {
  failCommit(sqliteError(10, 'disk I/O error'), true);
  await expect(under.catalog.createTable(['n'], { name: 'u', schema: SCHEMA })).rejects.toMatchObject({
    kind: 'unknown-outcome',
  });
  expect((await under.catalog.loadTable({ namespace: ['n'], name: 'u' })).metadata.schemas).toHaveLength(1);
});

it('keeps the metadata file when a statement fails and the rollback too', async () => {
  const { exec } = DatabaseSync.prototype;
  const prepare = DatabaseSync.prototype.prepare;
  const full = sqliteError(10, 'disk I/O error');
  vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql: string) {
    if (sql.startsWith('UPDATE tables')) throw full;
    return prepare.call(this, sql);
  });
  let failed = false;
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
    if (sql !== 'ROLLBACK' || failed) return exec.call(this, sql);
    failed = true;
    throw full;
  });
  const updates = [{ action: 'set-properties', updates: { k: '1' } }] as const;
  const commit = { identifier: T, requirements: [], updates };
  await expect(under.catalog.commitTable(commit)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  expect(await metadataFiles(under.objects, table.metadata.location)).toHaveLength(2);
  vi.restoreAllMocks();
  await under.catalog.commitTable(commit);
});

it('discards what it wrote for a commit that was refused', async () => {
  const stale = {
    identifier: T,
    requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
    updates: [{ action: 'set-properties', updates: { k: '1' } }],
  } as const;
  const other = { identifier: { namespace: ['n'], name: 'none' }, requirements: [], updates: [] };
  await expect(under.catalog.commitTransaction([stale, other])).rejects.toMatchObject({ kind: 'not-found' });
  const clients = await Promise.all([1, 2, 3].map(() => under.another()));
  await Promise.all(clients.map((client) => client.commitTable(stale)));
  const { metadata, metadataLocation } = await under.catalog.loadTable(T);
  const named = [...metadata['metadata-log'].map((entry) => entry['metadata-file']), metadataLocation];
  expect(await metadataFiles(under.objects, metadata.location)).toEqual(named.sort());
});

it('lets one of several swaps of the same relocation win, and keeps its metadata file', async () => {
  const listed = { name: 'm', snapshotId: 5n, sequenceNumber: 1, files: [] };
  const manifest = await putManifest(under.objects, table, listed);
  const made = { id: 5n, sequenceNumber: 1, manifests: [manifest] };
  const snapshot = await putSnapshot(under.objects, table, made);
  const updates = [{ action: 'add-snapshot', snapshot } as const, setBranch('main', 5n)];
  const base = await under.catalog.commitTable({ identifier: T, requirements: [], updates });
  const { leaseId, call } = await beginMove(under.catalog, base, 'r1');
  const moves = [{ from: OLD.p, to: `${table.metadata.location}/r1/p.parquet`, kind: 'data', size: 1 }];
  await call('POST', 'relocations/r1/moves', { 'lease-id': leaseId, moves });
  const clients = await Promise.all([1, 2, 3, 4].map(() => under.another()));
  const outcomes = await Promise.allSettled(
    clients.map(async (client, at) => {
      const { 'manifest-list': list } = await putSnapshot(under.objects, base, {
        ...made,
        list: `attempt-${at}`,
      });
      const body = {
        'lease-id': leaseId,
        'base-metadata-location': base.metadataLocation,
        snapshots: [{ 'snapshot-id': 5n, 'manifest-list': list }],
        fences: [],
      };
      await client.extension('POST', '/lake/v1/relocations/r1/swap', body);
      return list;
    }),
  );
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  expect(won).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'conflict' });
  }
  const { metadata, metadataLocation } = await under.catalog.loadTable(T);
  expect(metadata.snapshots[0]?.['manifest-list']).toBe(won[0]?.value);
  expect(metadata['last-sequence-number']).toBe(2);
  const named = [...metadata['metadata-log'].map((entry) => entry['metadata-file']), metadataLocation];
  expect(await metadataFiles(under.objects, metadata.location)).toEqual(named.sort());
});

it('journals only for the holder of a living lease', async () => {
  const { leaseId, call } = await beginMove(under.catalog, table, 'r1');
  const moves = [{ from: OLD.p, to: `${table.metadata.location}/r1/p.parquet`, kind: 'data', size: 1 }];
  const add = (lease: string | undefined) =>
    call('POST', 'relocations/r1/moves', { 'lease-id': lease, moves });
  await expect(add(undefined)).rejects.toMatchObject({ kind: 'invalid-argument' });
  await expect(add('none')).rejects.toMatchObject({ kind: 'conflict' });
  await call('DELETE', `leases/${leaseId}`);
  await expect(add(leaseId)).rejects.toMatchObject({ kind: 'conflict' });
  const again = { 'table-uuid': table.metadata['table-uuid'], holder: 'next', 'ttl-ms': 60_000 };
  const { 'lease-id': next } = await call<{ 'lease-id': string }>('POST', 'leases', again);
  await expect(add(leaseId)).rejects.toMatchObject({ kind: 'conflict' });
  await add(next);
});
