import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { type CatalogUnderTest, commitSnapshot, embedded, newTable, stageSnapshot } from './lake.ts';
import { movedTable } from './moved-table.ts';
import { type Answer, type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const U = { namespace: ['n'], name: 'u' };

let under: CatalogUnderTest;
let http: Wire;
beforeEach(async () => {
  under = await embedded();
  http = await wire(under);
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

const register = (name: string, location: string | undefined, overwrite?: boolean) =>
  http.send('POST', '/v1/namespaces/n/register', { name, 'metadata-location': location, overwrite });
const is = (answer: Answer, status: number, type: string) =>
  expect({ status: answer.status, type: answer.body?.error?.type }).toEqual({ status, type });

it('registers a table that was unregistered, with its last metadata', async () => {
  const table = await newTable(under.catalog, T);
  const handed = await http.send('POST', '/v1/namespaces/n/tables/t/unregister');
  expect(handed.body['metadata-location']).toBe(table.metadataLocation);
  expect(await under.catalog.tableExists(T)).toBe(false);
  expect((await http.send('GET', '/lake/v1/dropped-tables')).body['dropped-tables']).toEqual([]);
  is(await http.send('POST', '/v1/namespaces/n/tables/t/unregister'), 404, 'NoSuchTableException');
  const registered = await register('u', table.metadataLocation);
  expect(registered.body.metadata).toEqual(handed.body.metadata);
  expect((await under.catalog.loadTable(U)).metadata).toEqual(table.metadata);
});

it('refuses names that are taken, a second name for one table, and files that are none', async () => {
  const table = await newTable(under.catalog, T);
  is(await register('t', table.metadataLocation), 409, 'AlreadyExistsException');
  // Leases, journal and ledger go by the uuid: a move under one name would break the other.
  is(await register('u', table.metadataLocation), 409, 'AlreadyExistsException');
  is(await register('u', `${table.metadata.location}/none.json`), 404, 'NotFoundException');
  const text = `${table.metadata.location}/text.json`;
  await under.objects.put(text, new TextEncoder().encode('{"a":1}'));
  is(await register('u', text), 400, 'BadRequestException');
  is(await register('u', undefined), 400, 'BadRequestException');
  const none = { name: 'u', 'metadata-location': text };
  is(await http.send('POST', '/v1/namespaces/none/register', none), 404, 'NoSuchNamespaceException');
});

it('overwrites a table in one step, and remembers the one that it replaced', async () => {
  const table = await newTable(under.catalog, T);
  const other = await newTable(under.catalog, U);
  await under.catalog.dropTable(U);
  expect((await register('t', other.metadataLocation, true)).status).toBe(200);
  expect((await under.catalog.loadTable(T)).metadata).toEqual(other.metadata);
  const { body } = await http.send('GET', '/lake/v1/dropped-tables');
  expect(body['dropped-tables']).toMatchObject([{ 'table-uuid': table.metadata['table-uuid'] }]);
});

it('reads compressed metadata of other writers', async () => {
  const table = await newTable(under.catalog, T);
  await under.catalog.dropTable(T);
  const packed = `${table.metadata.location}/metadata/00001-x.gz.metadata.json`;
  await under.objects.put(packed, gzipSync(await under.objects.get(table.metadataLocation ?? '')));
  expect((await register('t', packed)).body.metadata['table-uuid']).toBe(table.metadata['table-uuid']);
});

it('refuses metadata of a moved table that names old places, also as an overwrite', async () => {
  const { before } = await movedTable(under);
  is(await register('t', before.metadataLocation, true), 409, 'CommitFailedException');
  const moved = await under.catalog.loadTable(T);
  await under.catalog.dropTable(T);
  is(await register('t', before.metadataLocation), 409, 'CommitFailedException');
  expect((await register('t', moved.metadataLocation)).status).toBe(200);
  expect((await under.catalog.loadTable(T)).metadata).toEqual(moved.metadata);
});

it('refuses a cherry-pick of a snapshot that has expired, whose files may be deleted', async () => {
  const created = await newTable(under.catalog, T);
  const first = await commitSnapshot(
    under.catalog,
    created,
    await stageSnapshot(under.objects, created, [], 1n),
  );
  const picked = await stageSnapshot(under.objects, first, [], 2n);
  const commit = (source: string) =>
    commitSnapshot(under.catalog, first, {
      ...picked,
      summary: { operation: 'append', 'source-snapshot-id': source },
    });
  await expect(commit('77')).rejects.toMatchObject({ kind: 'conflict' });
  expect((await commit('1')).metadata['current-snapshot-id']).toBe(2n);
});

it('tells nothing of files that lie elsewhere, nor what stands in one that is no metadata', async () => {
  const table = await newTable(under.catalog, T);
  const secret = new TextEncoder().encode('root:x:0:0:secret');
  const outside = `file://${under.folder}/elsewhere/passwd`;
  const inside = `${table.metadata.location}/passwd`;
  for (const location of [outside, inside]) await under.objects.put(location, secret);
  const told = [
    await register('u', outside),
    await register('t', outside, true),
    await register('u', `${outside}.none`),
    await register('u', inside),
  ];
  for (const answer of told) {
    is(answer, 400, 'BadRequestException');
    expect(answer.body.error.message).not.toContain('root');
  }
});

it('registers a file as it is by now, not as it was when it was refused', async () => {
  const table = await newTable(under.catalog, T);
  const text = new TextDecoder().decode(await under.objects.get(table.metadataLocation ?? ''));
  const location = `file://${under.folder}/hot/other`;
  const put = (at: number) =>
    under.objects.put(
      `${location}/metadata/v1.metadata.json`,
      new TextEncoder().encode(
        stringifyJson({
          ...JSON.parse(text),
          location,
          'table-uuid': '00000000-0000-4000-8000-000000000001',
          properties: { version: `${at}` },
        }),
      ),
    );
  await put(1);
  is(await register('t', `${location}/metadata/v1.metadata.json`), 409, 'AlreadyExistsException');
  const first = await register('u', `${location}/metadata/v1.metadata.json`);
  expect(first.body.metadata.properties).toEqual({ version: '1' });
  await http.send('POST', '/v1/namespaces/n/tables/u/unregister');
  await put(2);
  const again = await register('u', `${location}/metadata/v1.metadata.json`);
  expect(again.body.metadata.properties).toEqual({ version: '2' });
});
