import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import { type CatalogUnderTest, embedded, newTable, SCHEMA } from './lake.ts';
import { type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const PATH = '/v1/namespaces/n/tables/t';

let under: CatalogUnderTest;
let http: Wire;
let table: LoadedTable;
beforeEach(async () => {
  under = await embedded();
  table = await newTable(under.catalog, T);
  http = await wire(under);
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

const set = (key: string, value = '1') => ({
  updates: [{ action: 'set-properties', updates: { [key]: value } }],
});
/** The database as a server leaves it that dies between the change and its answer. */
function forgetAnswer(path: string, requestKey: string): void {
  const database = new DatabaseSync(path);
  const sql = 'UPDATE idempotency_keys SET status = NULL, body = NULL WHERE key = ?';
  expect(database.prepare(sql).run(requestKey).changes).toBe(1);
  database.close();
}
const key = () => ({ 'idempotency-key': randomUUID() });

it('answers 304 to who has the table as it is, and tells the two kinds of answers apart', async () => {
  const all = await http.send('GET', PATH);
  const etag = String(all.headers['etag']);
  const known = await http.send('GET', PATH, undefined, { 'if-none-match': `"x", W/${etag}` });
  expect(known).toMatchObject({ status: 304, body: null, headers: { etag } });
  const refs = await http.send('GET', `${PATH}?snapshots=refs`, undefined, { 'if-none-match': etag });
  expect(refs.status).toBe(200);
  expect(refs.headers['etag']).not.toBe(etag);
  const committed = await http.send('POST', PATH, set('a'));
  expect((await http.send('GET', PATH, undefined, { 'if-none-match': etag })).status).toBe(200);
  expect((await http.send('GET', PATH)).headers['etag']).toBe(committed.headers['etag']);
  expect((await http.send('GET', `${PATH}?snapshots=some`)).status).toBe(400);
});

it('does not answer from memory for a table whose metadata file is lost', async () => {
  expect((await http.send('GET', PATH)).status).toBe(200);
  await under.objects.delete([table.metadataLocation ?? '']);
  const { status, body } = await http.send('GET', PATH);
  expect({ status, type: body.error.type }).toEqual({ status: 404, type: 'NotFoundException' });
  expect(body.error.message).toContain(table.metadataLocation);
});

it('makes a change once that is sent twice with one key, and refuses the key for another request', async () => {
  const create = { name: 'u', schema: SCHEMA };
  const headers = key();
  const tables = '/v1/namespaces/n/tables';
  const first = await http.send('POST', tables, create, headers);
  const again = await http.send('POST', tables, create, headers);
  expect([first.status, again.status]).toEqual([200, 200]);
  expect(again.body).toEqual(first.body);
  const other = await http.send('POST', tables, { name: 'v', schema: SCHEMA }, headers);
  expect(other).toMatchObject({ status: 422, body: { error: { type: 'UnprocessableEntityException' } } });
  const drop = key();
  const dropped = await http.send('DELETE', `${tables}/u`, undefined, drop);
  expect([dropped.status, (await http.send('DELETE', `${tables}/u`, undefined, drop)).status]).toEqual([
    204, 204,
  ]);
  expect((await http.send('DELETE', `${tables}/u`, undefined, key())).status).toBe(404);
  expect((await http.send('POST', PATH, set('a'), { 'idempotency-key': 'soon' })).status).toBe(400);
});

it('replays a final refusal, even when the cause of it has gone', async () => {
  const headers = key();
  const create = () => http.send('POST', '/v1/namespaces/m/tables', { name: 't', schema: SCHEMA }, headers);
  const refused = await create();
  expect(refused).toMatchObject({ status: 404, body: { error: { type: 'NoSuchNamespaceException' } } });
  await under.catalog.createNamespace(['m']);
  expect(await create()).toMatchObject({ status: 404, body: refused.body });
});

it('makes racing requests with one key once, in one server and across two', async () => {
  const other = await wire(under);
  const headers = key();
  const commit = {
    requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
    ...set('a'),
  };
  const answers = await Promise.all(
    [http, http, other, other].map((server) => server.send('POST', PATH, commit, headers)),
  );
  // The other server may say 503, which is certain that it applied nothing.
  expect(answers.map(({ status }) => status).filter((status) => status !== 503)).toContain(200);
  const { metadata } = await under.catalog.loadTable(T);
  expect(metadata['metadata-log']).toHaveLength(1);
  await other.close();
});

it('tells a client that repeats a commit whose answer was lost that it was applied', async () => {
  const headers = key();
  const commit = {
    requirements: [{ type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 }],
    updates: [
      {
        action: 'add-schema',
        schema: {
          ...SCHEMA,
          fields: [...SCHEMA.fields, { id: 3, name: 'x', required: false, type: 'string' }],
        },
      },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
  };
  const committed = await http.send('POST', PATH, commit, headers);
  expect(committed.status).toBe(200);
  forgetAnswer(under.database, headers['idempotency-key']);
  const again = await http.send('POST', PATH, commit, headers);
  expect(again.status).toBe(200);
  expect(again.body.metadata).toEqual(committed.body.metadata);
  expect((await http.send('POST', PATH, commit, key())).status).toBe(409);
});

it('does not keep 5xx answers: the repeated request is tried again', async () => {
  let broken = true;
  const failing = new Proxy(under.objects, {
    get: (target, name) => {
      if (name === 'put' && broken) return () => Promise.reject(new Error('disk on fire'));
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const server = await wire(under, { objects: failing });
  const headers = key();
  expect((await server.send('POST', PATH, set('a'), headers)).status).toBe(500);
  broken = false;
  expect((await server.send('POST', PATH, set('a'), headers)).status).toBe(200);
  await server.close();
});

it('keeps the newest metrics reports of a table', async () => {
  for (let at = 0; at < 102; at++) {
    const report = { 'report-type': 'scan-report', 'table-name': 't', at };
    expect((await http.send('POST', `${PATH}/metrics`, report)).status).toBe(204);
  }
  const uuid = table.metadata['table-uuid'];
  const { body } = await http.send('GET', `/lake/v1/metrics-reports?table-uuid=${uuid}&page-size=1000`);
  expect(body.reports).toHaveLength(100);
  expect(body.reports[0].report.at).toBe(2);
  expect((await http.send('POST', `${PATH}/metrics`, {})).status).toBe(400);
  expect((await http.send('POST', '/v1/namespaces/n/tables/x/metrics', { 'report-type': 'x' })).status).toBe(
    404,
  );
});

it('lists as endpoints what it answers, and none of its own', async () => {
  const { endpoints, overrides } = (await http.send('GET', '/v1/config')).body;
  expect(overrides).toEqual({ 'namespace-separator': '%1F' });
  expect(endpoints).toContain('POST /v1/{prefix}/namespaces/{namespace}/register');
  for (const endpoint of endpoints) {
    const [method, path] = endpoint.split(' ');
    expect(path).toMatch(/^\/v1\/\{prefix\}\//);
    const url = path.replace('/{prefix}', '').replaceAll(/\{\w+\}/g, 'none');
    const { status, body } = await http.send(method, url, method === 'POST' ? {} : undefined);
    expect({
      endpoint,
      noRoute: status === 404 && String(body?.error.message).startsWith('No such route'),
    }).toEqual({
      endpoint,
      noRoute: false,
    });
  }
});
