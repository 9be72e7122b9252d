import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { writeManifest } from '../../src/iceberg/manifest.ts';
import { summarizeManifest, writeManifestList } from '../../src/iceberg/manifest-list.ts';
import { parseTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { currentSchema, defaultSpec } from '../../src/iceberg/table-metadata.ts';
import { fileAt } from '../catalog/lake.ts';
import { type GuardedCatalog, guardedCatalog, type Send } from './guarded-catalog.ts';

let catalog: GuardedCatalog;
beforeEach(async () => {
  catalog = await guardedCatalog();
});
afterEach(async () => {
  await catalog.dispose();
});

const CATALOG = { kind: 'catalog' } as const;

it('lets no manager of the catalog make a steward of themselves', async () => {
  await catalog.grant('manager', 'manage', CATALOG);
  await catalog.grant('watcher', 'steward', CATALOG);
  await catalog.operator('POST', '/lake/v1/roles', { name: 'watchers' });
  const watchers = { grantee: { kind: 'role', name: 'watchers' }, privilege: 'steward', on: CATALOG };
  expect((await catalog.operator('POST', '/lake/v1/grants', watchers)).status).toBe(204);
  const manager = await catalog.as('manager');
  const self = { kind: 'principal', name: 'manager' };

  const tried = [
    await manager('POST', '/lake/v1/principals/watcher/rotate', { 'overlap-ms': 0 }),
    await manager('POST', '/lake/v1/principals/watcher/state', { disabled: true }),
    await manager('DELETE', '/lake/v1/principals/watcher'),
    await manager('POST', '/lake/v1/roles/watchers/members', self),
    await manager('DELETE', '/lake/v1/roles/watchers'),
  ];
  expect(tried.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
  expect(JSON.stringify(tried.map(({ body }) => body))).not.toContain('lake_');

  await catalog.tokenOf('etl');
  expect((await manager('POST', '/lake/v1/principals/etl/rotate', { 'overlap-ms': 0 })).status).toBe(200);
});

it('gives no second view the uuid of another, by whose grants it could be read', async () => {
  await catalog.operator('POST', '/v1/namespaces', { namespace: ['hr'] });
  await catalog.operator('POST', '/v1/namespaces', { namespace: ['own'] });
  const made = await catalog.operator('POST', '/v1/namespaces/hr/views', {
    name: 'pay',
    schema: { type: 'struct', 'schema-id': 0, fields: [] },
    'view-version': {
      'version-id': 1,
      'timestamp-ms': 1,
      'schema-id': 0,
      summary: {},
      representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'trino' }],
      'default-namespace': ['hr'],
    },
    properties: {},
  });
  expect(made.status).toBe(200);
  await catalog.grant('mallory', 'manage', { kind: 'namespace', levels: ['own'] });
  const mallory = await catalog.as('mallory');
  const location = `file://${catalog.folder}/hot/own/pay-2`;
  await mkdir(`${catalog.folder}/hot/own/pay-2/metadata`, { recursive: true });
  const file = `${location}/metadata/00000-x.metadata.json`;
  await writeFile(file.slice('file://'.length), stringifyJson({ ...made.body.metadata, location }));
  for (const taken of [file, made.body['metadata-location']]) {
    const answer = await mallory('POST', '/v1/namespaces/own/register-view', {
      name: 'pay',
      'metadata-location': taken,
    });
    expect([taken, answer.status]).toEqual([taken, 409]);
  }
});

it('does not plan by the manifests of another table', async () => {
  const victim = await filled('hr', 'pay', null);
  const own = await filled('own', 'mine', null);
  await catalog.grant('mallory', 'write', { kind: 'namespace', levels: ['own'] });
  const mallory = await catalog.as('mallory');
  expect((await mallory('POST', '/v1/namespaces/own/tables/mine/plan', {})).body.status).toBe('completed');

  await filled('own', 'copy', victim);
  const answer = await mallory('POST', '/v1/namespaces/own/tables/copy/plan', { 'stats-fields': ['id'] });
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([403, expect.not.stringContaining('secret')]);
  expect(own).not.toBe(victim);
});

it('takes no uuid that is the end of another one, or another one in capitals', async () => {
  const { uuid } = await catalog.table(['hr'], 'pay');
  await catalog.grant('mallory', 'manage', { kind: 'namespace', levels: ['own'] }).catch(() => {});
  for (const taken of [uuid.slice(-12), uuid.toUpperCase(), 'x']) {
    const made = await createWith(catalog.operator, taken);
    expect([taken, made.status]).toEqual([taken, 400]);
  }
});

it('lets nobody without a token fill the database by idempotency keys', async () => {
  const key = { 'idempotency-key': '0190b5a8-0000-7000-8000-000000000001' };
  const first = await catalog.anyone('POST', '/v1/oauth/tokens', { grant_type: 'x' }, key);
  const other = await catalog.anyone('POST', '/v1/oauth/tokens', { grant_type: 'y' }, key);
  expect([first.status, other.status]).toEqual([400, 400]);
});

it('lets a writer not lead the files of a table elsewhere', async () => {
  await catalog.table(['own'], 'mine');
  await catalog.grant('writer', 'write', { kind: 'namespace', levels: ['own'] });
  const writer = await catalog.as('writer');
  const set = (updates: Record<string, string>) =>
    writer('POST', '/v1/namespaces/own/tables/mine', {
      requirements: [],
      updates: [{ action: 'set-properties', updates }],
    });
  expect((await set({ 'write.data.path': `file://${catalog.folder}/hot/landing` })).status).toBe(403);
  expect((await set({ owner: 'writer' })).status).toBe(200);
});

it('stages no table at the folder of a namespace, where tables of others will be born', async () => {
  for (const namespace of [['hr', 'inner'], ['own']])
    await catalog.operator('POST', '/v1/namespaces', { namespace });
  await catalog.grant('mallory', 'manage', { kind: 'namespace', levels: ['own'] });
  const mallory = await catalog.as('mallory');
  const stage = async (below: string) => {
    const schema = { type: 'struct', 'schema-id': 0, fields: [] };
    const location = `file://${catalog.folder}/hot/${below}`;
    const body = { name: 't', 'stage-create': true, location, schema };
    return (await mallory('POST', '/v1/namespaces/own/tables', body)).status;
  };
  expect([await stage('hr'), await stage('hr/inner/'), await stage('own/t')]).toEqual([400, 400, 200]);
});

async function createWith(send: Send, uuid: string) {
  await send('POST', '/v1/namespaces', { namespace: ['own'] });
  const body = { name: 't', schema: { type: 'struct', 'schema-id': 0, fields: [] }, 'stage-create': true };
  const { metadata } = (await send('POST', '/v1/namespaces/own/tables', body)).body;
  return send('POST', '/v1/namespaces/own/tables/t', {
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'assign-uuid', uuid },
      { action: 'set-location', location: metadata.location },
      { action: 'add-schema', schema: metadata.schemas[0], 'last-column-id': 0 },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    ],
  });
}

/** A table with one file in one manifest, or in a manifest of somebody else's; the manifest as it stands in the list. */
async function filled(
  namespace: string,
  name: string,
  manifest: ReturnType<typeof summarizeManifest> | null,
) {
  await catalog.table([namespace], name);
  const path = `/v1/namespaces/${namespace}/tables/${name}`;
  const metadata = parseTableMetadata(stringifyJson((await catalog.operator('GET', path)).body.metadata));
  const [schema, spec] = [currentSchema(metadata), defaultSpec(metadata)];
  const folder = `${metadata.location}/metadata`;
  const dataFile = fileAt(`${metadata.location}/data/secret.parquet`);
  const entry = {
    status: 'added',
    snapshotId: 7n,
    sequenceNumber: null,
    fileSequenceNumber: null,
    dataFile,
  } as const;
  const bytes = writeManifest({ schema, spec, content: 'data', formatVersion: 2, entries: [entry] });
  const written = `${folder}/m-0.avro`;
  const list = `${folder}/snap-7.avro`;
  const shape = {
    schema,
    spec,
    content: 'data',
    snapshotId: 7n,
    sequenceNumber: 1,
    entries: [entry],
  } as const;
  const own = summarizeManifest({ path: written, length: bytes.length, ...shape });
  await writeFile(written.slice('file://'.length), bytes);
  const header = { snapshotId: 7n, parentSnapshotId: null, sequenceNumber: 1, formatVersion: 2 } as const;
  await writeFile(list.slice('file://'.length), writeManifestList(header, [manifest ?? own]));
  const snapshot = {
    'snapshot-id': 7n,
    'sequence-number': 1,
    'timestamp-ms': metadata['last-updated-ms'] + 1,
    'manifest-list': list,
    summary: { operation: 'append' },
    'schema-id': metadata['current-schema-id'],
  };
  const done = await catalog.operator('POST', path, {
    requirements: [],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 7n },
    ],
  });
  expect(done.status).toBe(200);
  return own;
}
