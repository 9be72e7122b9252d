import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { type CatalogUnderTest, commitSnapshot, embedded, fileAt, newTable, stageSnapshot } from './lake.ts';
import { type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const U = { namespace: ['n'], name: 'u' };
const PATH = '/v1/namespaces/n/tables/t';

let under: CatalogUnderTest;
let http: Wire;
let nextId = 1n;
beforeEach(async () => {
  under = await embedded();
  http = await wire(under);
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

/** A table with a snapshot that names `files`, which are written. */
async function tableWith(
  identifier: typeof T,
  files: (table: LoadedTable) => string[],
): Promise<LoadedTable> {
  const table = await newTable(under.catalog, identifier);
  const entries: DataFile[] = files(table).map((path) => fileAt(path));
  for (const { filePath } of entries) await under.objects.put(filePath, new TextEncoder().encode('row'));
  return commitSnapshot(under.catalog, table, await stageSnapshot(under.objects, table, entries, nextId++));
}
const own = (name: string) => (table: LoadedTable) => [`${table.metadata.location}/data/${name}`];
const isThere = (location: string | undefined) => under.objects.exists(location ?? '');
const purge = () => http.send('DELETE', `${PATH}?purgeRequested=true`);
const dropped = async () => (await http.send('GET', '/lake/v1/dropped-tables')).body['dropped-tables'];

async function filesBelow(location: string): Promise<string[]> {
  const found: string[] = [];
  for await (const page of under.objects.list(`${location}/`)) found.push(...page.map((one) => one.location));
  return found;
}

it('brings a dropped table back, under its name or another, with all that it had', async () => {
  const table = await tableWith(T, own('1.parquet'));
  await under.catalog.dropTable(T);
  const [{ id, state }] = await dropped();
  expect(state).toBe('dropped');
  await newTable(under.catalog, T);
  expect((await http.send('POST', `/lake/v1/dropped-tables/${id}/undrop`)).status).toBe(409);
  const undropped = await http.send('POST', `/lake/v1/dropped-tables/${id}/undrop`, { to: U });
  expect(undropped.status).toBe(200);
  expect((await under.catalog.loadTable(U)).metadata).toEqual(table.metadata);
  expect(await dropped()).toEqual([]);
  expect((await http.send('POST', `/lake/v1/dropped-tables/${id}/undrop`)).status).toBe(404);
});

it('deletes with purge all that the table leads to, in all of its snapshots, and nothing else', async () => {
  const table = await tableWith(T, own('1.parquet'));
  const second = await stageSnapshot(
    under.objects,
    table,
    [fileAt(`${table.metadata.location}/data/2.parquet`)],
    nextId++,
  );
  await under.objects.put(`${table.metadata.location}/data/2.parquet`, new Uint8Array([1]));
  await commitSnapshot(under.catalog, table, second);
  const stranger = `${table.metadata.location}/data/notes.txt`;
  await under.objects.put(stranger, new Uint8Array([1]));
  const other = await tableWith(U, own('1.parquet'));
  expect((await purge()).status).toBe(204);
  expect(await filesBelow(table.metadata.location)).toEqual([stranger]);
  expect(await isThere(`${other.metadata.location}/data/1.parquet`)).toBe(true);
  expect(await dropped()).toMatchObject([{ state: 'purged' }]);
});

it('keeps what another table names, however it spells it, also one that was dropped and can come back', async () => {
  const table = await tableWith(T, (it) => ['1', '2', '3'].map((n) => `${it.metadata.location}/data/${n}`));
  const [one, two, three] = ['1', '2', '3'].map((n) => `${table.metadata.location}/data/${n}`);
  await tableWith(U, () => [one?.replace('file:///', 'file:/') ?? '']);
  const gone = { namespace: ['n'], name: 'gone' };
  await tableWith(gone, () => [two ?? '']);
  await under.catalog.dropTable(gone);
  await purge();
  expect([await isThere(one), await isThere(two), await isThere(three)]).toEqual([true, true, false]);
});

it('keeps files beside the table, which it may not own', async () => {
  const outside = `file://${under.folder}/import/1.parquet`;
  const table = await tableWith(T, () => [outside]);
  await purge();
  expect(await isThere(outside)).toBe(true);
  expect(await isThere(table.metadataLocation)).toBe(false);
});

it('deletes nothing while another table cannot be read, and goes on when it can', async () => {
  const table = await tableWith(T, own('1.parquet'));
  const other = await tableWith(U, own('2.parquet'));
  const list = other.metadata.snapshots[0]?.['manifest-list'] ?? '';
  const bytes = await under.objects.get(list);
  await under.objects.delete([list]);
  expect((await purge()).status).toBe(204);
  expect(await isThere(`${table.metadata.location}/data/1.parquet`)).toBe(true);
  const [{ state, note }] = await dropped();
  expect({ state, note }).toMatchObject({ state: 'listed', note: expect.stringContaining(list) });
  await under.objects.put(list, bytes);
  expect((await http.send('POST', '/lake/v1/purges')).body.purges).toMatchObject([{ waits: null }]);
  expect(await filesBelow(table.metadata.location)).toEqual([]);
});

it('goes on after a crash between two batches of deletions', async () => {
  const table = await tableWith(T, own('1.parquet'));
  let deletions = 0;
  const dying = new Proxy(under.objects, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (name === 'delete') {
        return async (locations: readonly string[]) => {
          await target.delete(locations.slice(0, 2));
          deletions++;
          throw new Error('killed');
        };
      }
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const server = await wire(under, { objects: dying });
  expect((await server.send('DELETE', `${PATH}?purgeRequested=true`)).status).toBe(204);
  await server.close();
  expect(deletions).toBe(1);
  expect((await filesBelow(table.metadata.location)).length).toBeGreaterThan(0);
  await http.send('POST', '/lake/v1/purges');
  expect(await filesBelow(table.metadata.location)).toEqual([]);
});

it('waits while a move holds the lease of the table', async () => {
  const table = await tableWith(T, own('1.parquet'));
  const lease = { 'table-uuid': table.metadata['table-uuid'], holder: 'test', 'ttl-ms': 60_000 };
  const { body } = await http.send('POST', '/lake/v1/leases', lease);
  await purge();
  expect(await isThere(`${table.metadata.location}/data/1.parquet`)).toBe(true);
  await http.send('DELETE', `/lake/v1/leases/${body['lease-id']}`);
  await http.send('POST', '/lake/v1/purges');
  expect(await filesBelow(table.metadata.location)).toEqual([]);
});

it('refuses to purge a table that forbids it, and to bring back or register one whose purge began', async () => {
  const table = await tableWith(T, own('1.parquet'));
  const kept = { updates: [{ action: 'set-properties', updates: { 'gc.enabled': 'false' } }] };
  await http.send('POST', PATH, kept);
  expect((await purge()).status).toBe(400);
  expect(await under.catalog.tableExists(T)).toBe(true);
  const freed = await http.send('POST', PATH, {
    updates: [{ action: 'remove-properties', removals: ['gc.enabled'] }],
  });
  const location = freed.body['metadata-location'];
  const bytes = await under.objects.get(location);
  await purge();
  await under.objects.put(location, bytes);
  const [{ id }] = await dropped();
  expect((await http.send('POST', `/lake/v1/dropped-tables/${id}/undrop`)).status).toBe(409);
  expect((await http.send('POST', `/lake/v1/dropped-tables/${id}/purge`)).status).toBe(409);
  const again = { name: 't', 'metadata-location': location };
  expect((await http.send('POST', '/v1/namespaces/n/register', again)).status).toBe(409);
  expect(table.metadata['table-uuid']).toBe(freed.body.metadata['table-uuid']);
});

it('purges a table that was dropped before', async () => {
  const table = await tableWith(T, own('1.parquet'));
  await under.catalog.dropTable(T);
  const [{ id }] = await dropped();
  expect((await http.send('POST', `/lake/v1/dropped-tables/${id}/purge`)).status).toBe(204);
  expect(await filesBelow(table.metadata.location)).toEqual([]);
  expect((await http.send('POST', '/lake/v1/dropped-tables/none/purge')).status).toBe(404);
});
