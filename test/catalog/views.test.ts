import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CatalogUnderTest, embedded, newTable, SCHEMA } from './lake.ts';
import { type Answer, type Wire, wire } from './wire.ts';

let under: CatalogUnderTest;
let http: Wire;
beforeEach(async () => {
  under = await embedded();
  await under.catalog.createNamespace(['n']);
  http = await wire(under);
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

const VIEWS = '/v1/namespaces/n/views';
const version = (sql: string, dialect = 'trino') => ({
  'version-id': 1,
  'schema-id': 0,
  'timestamp-ms': 1000,
  summary: { 'engine-name': 'test' },
  representations: [{ type: 'sql', sql, dialect }],
  'default-namespace': ['n'],
});
const create = (name: string, properties: object = {}) =>
  http.send('POST', VIEWS, { name, schema: SCHEMA, 'view-version': version('select 1'), properties });
const replace = (name: string, sql: string) =>
  http.send('POST', `${VIEWS}/${name}`, {
    requirements: [],
    updates: [
      { action: 'add-view-version', 'view-version': version(sql) },
      { action: 'set-current-view-version', 'view-version-id': -1 },
    ],
  });
const is = (answer: Answer, status: number, type: string) =>
  expect({ status: answer.status, type: answer.body?.error?.type }).toEqual({ status, type });

it('creates, loads, replaces, lists and drops views, each state durable in its file', async () => {
  const created = await create('v');
  expect(created.status).toBe(200);
  const { metadata } = created.body;
  expect(metadata).toMatchObject({ 'current-version-id': 1, 'format-version': 1 });
  expect(metadata.location).toMatch(/\/hot\/n\/v-[0-9a-f-]{36}$/);
  expect((await http.send('GET', `${VIEWS}/v`)).body).toEqual(created.body);
  expect((await http.send('HEAD', `${VIEWS}/v`)).status).toBe(204);
  const replaced = await replace('v', 'select 2');
  expect(replaced.body.metadata).toMatchObject({
    'current-version-id': 2,
    'version-log': [{ 'version-id': 1 }, { 'version-id': 2 }],
    'view-uuid': metadata['view-uuid'],
  });
  expect(await under.objects.exists(replaced.body['metadata-location'])).toBe(true);
  expect((await http.send('GET', VIEWS)).body.identifiers).toEqual([{ namespace: ['n'], name: 'v' }]);
  expect((await http.send('DELETE', `${VIEWS}/v`)).status).toBe(204);
  expect((await http.send('HEAD', `${VIEWS}/v`)).status).toBe(404);
});

it('pages through views', async () => {
  for (const name of ['a', 'b', 'c']) await create(name);
  const first = await http.send('GET', `${VIEWS}?pageToken=&pageSize=2`);
  expect(first.body.identifiers).toHaveLength(2);
  const rest = await http.send('GET', `${VIEWS}?pageToken=${first.body['next-page-token']}&pageSize=2`);
  expect(rest.body).toMatchObject({ identifiers: [{ name: 'c' }], 'next-page-token': null });
});

it('shares names between tables and views, and a namespace with views is not empty', async () => {
  await create('v');
  await newTable(under.catalog, { namespace: ['n'], name: 't' });
  is(await create('t'), 409, 'AlreadyExistsException');
  is(await create('v'), 409, 'AlreadyExistsException');
  await expect(newTable(under.catalog, { namespace: ['n'], name: 'v' })).rejects.toMatchObject({
    kind: 'already-exists',
    message: 'View with same name already exists: n.v',
  });
  await expect(
    under.catalog.createTable(['n'], { name: 'v', schema: SCHEMA, 'stage-create': true }),
  ).rejects.toMatchObject({ kind: 'already-exists' });
  const name = (text: string) => ({ namespace: ['n'], name: text });
  const views = { source: name('v'), destination: name('t') };
  is(await http.send('POST', '/v1/views/rename', views), 409, 'AlreadyExistsException');
  const tables = { source: name('t'), destination: name('v') };
  is(await http.send('POST', '/v1/tables/rename', tables), 409, 'AlreadyExistsException');
  await under.catalog.dropTable({ namespace: ['n'], name: 't' });
  is(await http.send('DELETE', '/v1/namespaces/n'), 409, 'NamespaceNotEmptyException');
});

it('renames a view into another namespace and registers it anew', async () => {
  const { body } = await create('v');
  await under.catalog.createNamespace(['m']);
  const rename = (destination: object) =>
    http.send('POST', '/v1/views/rename', { source: { namespace: ['n'], name: 'v' }, destination });
  is(await rename({ namespace: ['none'], name: 'v' }), 404, 'NoSuchNamespaceException');
  expect((await rename({ namespace: ['m'], name: 'w' })).status).toBe(204);
  is(await rename({ namespace: ['m'], name: 'x' }), 404, 'NoSuchViewException');
  expect((await http.send('DELETE', '/v1/namespaces/m/views/w')).status).toBe(204);
  const again = { name: 'v', 'metadata-location': body['metadata-location'] };
  const registered = await http.send('POST', '/v1/namespaces/n/register-view', again);
  expect(registered.body.metadata).toEqual(body.metadata);
  is(await http.send('POST', '/v1/namespaces/n/register-view', again), 409, 'AlreadyExistsException');
  const lost = { name: 'x', 'metadata-location': `${body.metadata.location}/none.json` };
  is(await http.send('POST', '/v1/namespaces/n/register-view', lost), 404, 'NotFoundException');
});

it('answers what does not fit with the errors of the REST spec', async () => {
  await create('v');
  const commit = (updates: unknown[], requirements: unknown[] = []) =>
    http.send('POST', `${VIEWS}/v`, { requirements, updates });
  const other = [{ type: 'assert-view-uuid', uuid: '00000000-0000-0000-0000-000000000000' }];
  is(await commit([], other), 409, 'CommitFailedException');
  is(await commit([], [{ type: 'assert-luck', uuid: 'x' }]), 400, 'BadRequestException');
  is(await commit([{ action: 'add-snapshot' }]), 400, 'BadRequestException');
  is(
    await commit([{ action: 'set-current-view-version', 'view-version-id': 9 }]),
    400,
    'BadRequestException',
  );
  is(await commit([{ action: 'add-view-version' }]), 400, 'BadRequestException');
  is(await http.send('POST', `${VIEWS}/none`, { updates: [] }), 404, 'NoSuchViewException');
  is(await http.send('GET', `${VIEWS}/none`), 404, 'NoSuchViewException');
  is(await http.send('DELETE', `${VIEWS}/none`), 404, 'NoSuchViewException');
  is(await http.send('GET', '/v1/namespaces/none/views'), 404, 'NoSuchNamespaceException');
  is(await http.send('POST', VIEWS, { name: 'w' }), 400, 'BadRequestException');
  is(
    await http.send('POST', '/v1/namespaces/none/views', {
      name: 'v',
      schema: SCHEMA,
      'view-version': version('select 1'),
      properties: {},
    }),
    404,
    'NoSuchNamespaceException',
  );
});

it('does not take the query of another engine away unless the view allows it', async () => {
  await create('v');
  const spark = () =>
    http.send('POST', `${VIEWS}/v`, {
      updates: [
        { action: 'add-view-version', 'view-version': version('select 2', 'spark') },
        { action: 'set-current-view-version', 'view-version-id': -1 },
      ],
    });
  expect((await spark()).status).toBe(400);
  const allow = { action: 'set-properties', updates: { 'replace.drop-dialect.allowed': 'true' } };
  await http.send('POST', `${VIEWS}/v`, { updates: [allow] });
  expect((await spark()).status).toBe(200);
});

it('applies racing changes that do not contradict each other, all of them', async () => {
  await create('v');
  const others = await Promise.all([wire(under), wire(under), wire(under)]);
  const answers = await Promise.all(
    others.map((other, at) =>
      other.send('POST', `${VIEWS}/v`, {
        updates: [{ action: 'set-properties', updates: { [`k${at}`]: '1' } }],
      }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const { metadata } = (await http.send('GET', `${VIEWS}/v`)).body;
  expect(metadata.properties).toEqual({ k0: '1', k1: '1', k2: '1' });
  for (const other of others) await other.close();
});
