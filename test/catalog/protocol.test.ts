import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCatalogServer } from '../../catalog/server.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';
import { type CatalogUnderTest, commitSnapshot, embedded, fileAt, newTable, stageSnapshot } from './lake.ts';

let under: CatalogUnderTest;
let base: string;
let close: () => Promise<void>;
beforeEach(async () => {
  under = await embedded();
  const server = await startCatalogServer({
    database: under.database,
    warehouse: `file://${under.folder}/hot`,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  });
  base = `${server.address}/v1`;
  close = server.close;
});
afterEach(async () => {
  await close();
  await under.dispose();
});

const send = async (method: string, path: string, body?: string) => {
  const init = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } };
  const response = await fetch(base + path, { method, ...init });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
};

it('answers errors in the shape and with the names of the REST spec', async () => {
  await newTable(under.catalog, { namespace: ['n'], name: 't' });
  const errors: [string, string, string | undefined, number, string][] = [
    ['GET', '/namespaces/none', undefined, 404, 'NoSuchNamespaceException'],
    ['GET', '/namespaces/n/tables/none', undefined, 404, 'NoSuchTableException'],
    ['GET', '/namespaces/none/tables', undefined, 404, 'NoSuchNamespaceException'],
    ['POST', '/namespaces', '{"namespace":["n"]}', 409, 'AlreadyExistsException'],
    ['DELETE', '/namespaces/n', undefined, 409, 'NamespaceNotEmptyException'],
    ['POST', '/namespaces', '{"namespace":', 400, 'BadRequestException'],
    [
      'POST',
      '/namespaces/n/tables/t',
      '{"requirements":[],"updates":[{"action":"fly"}]}',
      400,
      'BadRequestException',
    ],
    [
      'POST',
      '/namespaces/n/tables/t',
      '{"requirements":[{"type":"assert-luck"}],"updates":[]}',
      400,
      'BadRequestException',
    ],
    ['POST', '/namespaces/n/tables/t', '{"updates":[{"action":"add-snapshot"}]}', 400, 'BadRequestException'],
    [
      'POST',
      '/namespaces/n/tables/t',
      '{"requirements":[{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":1}],"updates":[]}',
      409,
      'CommitFailedException',
    ],
    [
      'POST',
      '/namespaces/n/properties',
      '{"removals":["a"],"updates":{"a":"1"}}',
      422,
      'UnprocessableEntityException',
    ],
  ];
  for (const [method, path, body, status, type] of errors) {
    const answer = await send(method, path, body);
    expect({ path, status: answer.status, error: answer.body.error }).toMatchObject({
      path,
      status,
      error: { code: status, type },
    });
    expect(answer.body.error.message).toBeTypeOf('string');
  }
  expect(await send('HEAD', '/namespaces/none')).toEqual({ status: 404, body: null });
  expect(await send('HEAD', '/namespaces/n/tables/t')).toEqual({ status: 204, body: null });
  expect((await send('GET', '/config')).body.endpoints).toContain('POST /v1/{prefix}/transactions/commit');
});

it('pages lists when asked to, and only then', async () => {
  for (const name of ['c', 'a', 'b']) await newTable(under.catalog, { namespace: ['n'], name });
  const first = await send('GET', '/namespaces/n/tables?pageToken=&pageSize=2');
  expect(first.body.identifiers.map((row: { name: string }) => row.name)).toEqual(['a', 'b']);
  const token = encodeURIComponent(first.body['next-page-token']);
  const second = await send('GET', `/namespaces/n/tables?pageToken=${token}&pageSize=2`);
  expect(second.body).toEqual({ identifiers: [{ namespace: ['n'], name: 'c' }], 'next-page-token': null });
  expect((await send('GET', '/namespaces/n/tables?pageSize=2')).body.identifiers).toHaveLength(3);
});

it('leaves out snapshots that no ref names when it is asked to', async () => {
  const { catalog, objects } = under;
  let table = await newTable(catalog, { namespace: ['n'], name: 't' });
  for (const id of [1n, 2n, 3n]) {
    const staged = await stageSnapshot(objects, table, [fileAt(`file:///x/${id}`)], id);
    table = await commitSnapshot(catalog, table, staged);
  }
  const tag = { action: 'set-snapshot-ref', 'ref-name': 'v1', type: 'tag', 'snapshot-id': 1n } as const;
  await catalog.commitTable({ identifier: table.identifier, requirements: [], updates: [tag] });
  const ids = async (query: string) => {
    const { body } = await send('GET', `/namespaces/n/tables/t${query}`);
    return body.metadata.snapshots.map((snapshot: { 'snapshot-id': number }) => snapshot['snapshot-id']);
  };
  expect(await ids('')).toEqual([1, 2, 3]);
  expect(await ids('?snapshots=all')).toEqual([1, 2, 3]);
  expect(await ids('?snapshots=refs')).toEqual([1, 3]);
  expect((await send('GET', '/namespaces/n/tables/t?snapshots=some')).status).toBe(400);
});

it('takes metrics reports of tables that are there', async () => {
  await newTable(under.catalog, { namespace: ['n'], name: 't' });
  const report = JSON.stringify({
    'report-type': 'scan-report',
    'table-name': 'n.t',
    'snapshot-id': -1,
    filter: { type: 'true' },
    'schema-id': 0,
    'projected-field-ids': [1],
    'projected-field-names': ['id'],
    metrics: {},
  });
  expect(await send('POST', '/namespaces/n/tables/t/metrics', report)).toEqual({ status: 204, body: null });
  expect((await send('POST', '/namespaces/n/tables/none/metrics', report)).status).toBe(404);
});

it('serves a file that another process has open: both see the same', async () => {
  const viaSocket = new RestCatalog({ uri: base });
  const table = await newTable(under.catalog, { namespace: ['n'], name: 't' });
  expect(await viaSocket.loadTable(table.identifier)).toEqual(table);
});

it('tells what was never sent from what may have been applied', async () => {
  const gone = new RestCatalog({ uri: 'http://127.0.0.1:1' });
  await expect(gone.createNamespace(['x'])).rejects.toMatchObject({ kind: 'unavailable' });
  const answers = (status: number) =>
    new RestCatalog({
      uri: 'http://x',
      fetch: async (url) =>
        url.endsWith('/config') ? new Response('{}') : new Response('<html>proxy</html>', { status }),
    });
  const commit = { identifier: { namespace: ['n'], name: 't' }, requirements: [], updates: [] };
  await expect(answers(502).commitTable(commit)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  await expect(answers(503).commitTable(commit)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  await expect(answers(502).loadTable(commit.identifier)).rejects.toMatchObject({ kind: 'unavailable' });
  const reset = new RestCatalog({
    uri: 'http://x',
    fetch: async (url) => {
      if (url.endsWith('/config')) return new Response('{}');
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
      });
    },
  });
  await expect(reset.commitTransaction([commit])).rejects.toMatchObject({ kind: 'unknown-outcome' });
  await expect(answers(404).extension('GET', '/lake/v1/ledger')).rejects.toMatchObject({
    kind: 'unsupported',
  });
});
