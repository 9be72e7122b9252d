import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { type CatalogUnderTest, embedded, newTable, SCHEMA, stageSnapshot } from './lake.ts';
import { type Answer, type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const TABLES = '/v1/namespaces/n/tables';
const VIEW = {
  'version-id': 1,
  'schema-id': 0,
  'timestamp-ms': 1,
  summary: {},
  representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
  'default-namespace': ['n'],
};

let under: CatalogUnderTest;
let http: Wire;
/** Location of the victim: no other may get at it. */
let victim: string;
let hot: string;
beforeEach(async () => {
  under = await embedded();
  http = await wire(under);
  victim = (await newTable(under.catalog, T)).metadata.location;
  hot = `file://${under.folder}/hot`;
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

let made = 0;
const create = (location: string, over: object = {}): Promise<Answer> =>
  http.send('POST', TABLES, { name: `c${++made}`, schema: SCHEMA, location, ...over });
const update = (table: string, ...updates: object[]): Promise<Answer> =>
  http.send('POST', `${TABLES}/${table}`, { requirements: [], updates });
const refused = (answer: Answer) =>
  expect({ status: answer.status, type: answer.body?.error?.type }).toEqual({
    status: 400,
    type: 'BadRequestException',
  });
const files = async (): Promise<string[]> =>
  (await readdir(under.folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('catalog.db'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** Ways to spell a place that must not be had, by what is wrong with them. */
function badPlaces(): Record<string, string> {
  const inside = victim.slice(`${hot}/`.length);
  return {
    elsewhere: `file://${under.folder}/other`,
    'another root with the same beginning': `${hot}ter/x`,
    'the warehouse itself': hot,
    'the warehouse with a slash': `${hot}/`,
    'the folder above': `file://${under.folder}`,
    'the whole disk': 'file:///',
    'another store': 's3://bucket/x',
    memory: 'memory://x/y',
    relative: 'n/x',
    'no scheme': 'x',
    dots: `${hot}/x/../../other`,
    'dots at the end': `${hot}/x/..`,
    'one dot': `${hot}/./x`,
    'escaped dots': `${hot}/x/%2e%2e/%2E%2E/other`,
    'dots escaped twice': `${hot}/x/%252e%252e/other`,
    'an escaped slash': `${hot}/x%2F..%2f..%2fother`,
    'an escaped backslash': `${hot}/x%5c..`,
    backslashes: `${hot}\\..\\other`,
    'full-width dots': `${hot}/x/．．/other`,
    'a full-width slash': `${hot}/x／..`,
    'doubled slashes': `${hot}//x`,
    'a host': `file://host${under.folder}/hot/x`,
    localhost: `file://localhost${under.folder}/hot/x`,
    'a star': `${hot}/*`,
    'a question mark': `${hot}/x?y`,
    'an escaped question mark': `${hot}/x%3fy`,
    'a fragment': `${hot}/x#y`,
    'a line break': `${hot}/x\ny`,
    NUL: `${hot}/x\0y`,
    'an escaped NUL': `${hot}/x%00y`,
    'half a character': `${hot}/x\ud800`,
    'a very long name': `${hot}/${'x'.repeat(300)}`,
    "another's": victim,
    "another's, otherwise spelled": victim.replace('file:///', 'file:/'),
    "another's, as a path": victim.replace('file://', ''),
    "another's, loudly": victim.replace('file:', 'FILE:'),
    "another's with a slash": `${victim}/`,
    "another's inside": `${victim}/data/x`,
    "another's in capitals": `${hot}/${inside.toUpperCase()}`,
    "another's escaped": `${hot}/${inside.replace('t', '%74')}`,
    "around another's": victim.slice(0, victim.lastIndexOf('/')),
    "named after another's": `${hot}/somewhere/t-${victim.slice(-36)}`,
    "below a folder named after another's": `${hot}/somewhere/t-${victim.slice(-36)}/x`,
  };
}

it('refuses places outside of the warehouse, and in or around another table, in every spelling; nothing is written', async () => {
  const own = (await newTable(under.catalog, { ...T, name: 'own' })).metadata;
  const before = await files();
  for (const [why, location] of Object.entries(badPlaces())) {
    const label = `${why}: ${location}`;
    const path = { 'write.data.path': location };
    const answers = [
      await create(location),
      await create(location, { 'stage-create': true }),
      await create(`${hot}/free`, { properties: path }),
      await update('own', { action: 'set-location', location }),
      await update('own', { action: 'set-properties', updates: path }),
      await update('own', { action: 'set-properties', updates: { 'write.metadata.path': location } }),
      await update('own', { action: 'set-properties', updates: { 'write.object-storage.path': location } }),
      await update('own', { action: 'set-properties', updates: { 'write.folder-storage.path': location } }),
      await http.send('POST', '/v1/namespaces/n/views', {
        name: `v${++made}`,
        location,
        schema: SCHEMA,
        'view-version': VIEW,
        properties: {},
      }),
    ];
    expect(
      answers.map(({ status }) => status),
      label,
    ).toEqual(answers.map(() => 400));
    // A change beside it in the same transaction is not made either.
    const changes = [
      { identifier: T, requirements: [], updates: [{ action: 'set-properties', updates: { k: 'v' } }] },
      {
        identifier: { ...T, name: 'own' },
        requirements: [],
        updates: [{ action: 'set-location', location }],
      },
    ];
    const both = await http.send('POST', '/v1/transactions/commit', { 'table-changes': changes });
    expect(both.status, label).toBe(400);
  }
  refused(await update('own', { action: 'set-properties', updates: { 'write.data.path': '' } }));
  refused(await create(''));
  expect(await files()).toEqual(before);
  expect((await under.catalog.loadTable({ ...T, name: 'own' })).metadata).toEqual(own);
  expect((await under.catalog.loadTable(T)).metadata.properties).toEqual({});
});

it('takes places below the warehouse that one can read in one way only, also inside of its own', async () => {
  for (const name of [
    'plain',
    'ein Ort',
    'a+b=c',
    'büro',
    '日本',
    "o'neill & co",
    'x;y,z',
    '$1',
    '100%',
    'a%zz',
  ]) {
    const answer = await create(`${hot}/places/${name}`, {
      properties: { 'write.data.path': `${hot}/places/${name}/data/more` },
    });
    expect(answer.status, name).toBe(200);
    expect(answer.body.metadata.location).toBe(`${hot}/places/${name}`);
  }
  expect((await create(`${hot.replace('file:///', '/')}/bare/`)).body.metadata.location).toMatch(/\/bare$/);
  refused(await create(`${hot}/places/b%C3%BCro`));
  refused(await create(`${hot}/places/bu\u0308ro/x`));
});

it('puts files of commits nowhere but into the own folders of the table', async () => {
  const table = await newTable(under.catalog, { ...T, name: 'own' });
  const { location } = table.metadata;
  const snapshot = await stageSnapshot(under.objects, table, [], 7n);
  const commit = (list: string) =>
    update('own', { action: 'add-snapshot', snapshot: { ...snapshot, 'manifest-list': list } });
  const statistics = (path: string) => ({
    action: 'set-statistics',
    statistics: {
      'snapshot-id': 7n,
      'statistics-path': path,
      'file-size-in-bytes': 1,
      'file-footer-size-in-bytes': 1,
      'blob-metadata': [],
    },
  });
  const partition = (path: string) => ({
    action: 'set-partition-statistics',
    'partition-statistics': { 'snapshot-id': 7n, 'statistics-path': path, 'file-size-in-bytes': 1 },
  });
  const bad = [
    `${victim}/metadata/snap.avro`,
    `${location}/../x/snap.avro`,
    `${location}//snap.avro`,
    `${location}`,
    `${location}/`,
    `${location}evil/snap.avro`,
    `${hot}/n/snap.avro`,
    `file://${under.folder}/snap.avro`,
    `s3://b/t-${table.metadata['table-uuid']}/snap.avro`,
    `${victim}/t-${table.metadata['table-uuid']}/snap.avro`,
  ];
  for (const list of bad) {
    expect((await commit(list)).status, list).toBe(400);
    expect((await update('own', statistics(list))).status, list).toBe(400);
    expect((await update('own', partition(list))).status, list).toBe(400);
  }
  expect((await commit(snapshot['manifest-list'])).status).toBe(200);
  expect((await update('own', statistics(`${location}/metadata/s.stats`))).status).toBe(200);
  // As a move leaves them: in the table's folder of a tier, whatever its name was then.
  const inTier = `${hot}/old name/x-${table.metadata['table-uuid']}/r/p.stats`;
  expect((await update('own', partition(inTier))).status).toBe(200);
});

it('registers no metadata that lies, or names a place, elsewhere or in another table', async () => {
  const table = await newTable(under.catalog, { ...T, name: 'own' });
  await http.send('POST', `${TABLES}/own/unregister`);
  const put = async (location: string, over: object): Promise<string> => {
    const text = stringifyJson({ ...table.metadata, ...over });
    await under.objects.put(location, new TextEncoder().encode(text));
    return location;
  };
  const register = (location: string) =>
    http.send('POST', '/v1/namespaces/n/register', { name: 'r', 'metadata-location': location });
  const at = (name: string) => `${table.metadata.location}/metadata/${name}.metadata.json`;
  const list = (path: string) => ({
    snapshots: [
      {
        'snapshot-id': 5n,
        'sequence-number': 1,
        'timestamp-ms': 1,
        'manifest-list': path,
        summary: { operation: 'append' },
      },
    ],
    'last-sequence-number': 1,
  });
  refused(await register(await put(at('1'), { location: victim })));
  refused(await register(await put(at('2'), { location: `file://${under.folder}/other` })));
  refused(await register(await put(at('3'), { properties: { 'write.data.path': `${victim}/data` } })));
  refused(await register(await put(at('4'), list(`${victim}/metadata/snap.avro`))));
  refused(await register(await put(at('5'), list('s3://elsewhere/snap.avro'))));
  refused(await register(await put(`file://${under.folder}/outside/6.metadata.json`, {})));
  refused(await register(await put(`${victim}/metadata/7.metadata.json`, {})));
  expect((await register(await put(at('8'), list(`${hot}/before/snap.avro`)))).status).toBe(200);
  expect((await under.catalog.loadTable({ ...T, name: 'r' })).metadata.location).toBe(
    table.metadata.location,
  );
});

it('keeps the places of dropped tables until they cannot come back, and former ones', async () => {
  await under.catalog.dropTable(T);
  refused(await create(`${victim}/inside`));
  const listed = await http.send('GET', '/lake/v1/dropped-tables');
  expect(listed.status).toBe(200);
  const [dropped] = listed.body['dropped-tables'];
  expect((await http.send('POST', `/lake/v1/dropped-tables/${dropped.id}/purge`)).status).toBe(204);
  expect((await create(`${victim}/inside`)).status).toBe(200);

  await newTable(under.catalog, { ...T, name: 'wanderer' });
  const old = (await under.catalog.loadTable({ ...T, name: 'wanderer' })).metadata.location;
  expect((await update('wanderer', { action: 'set-location', location: `${hot}/new` })).status).toBe(200);
  refused(await create(old));
  refused(await create(`${hot}/new/x`));
  expect((await update('wanderer', { action: 'set-location', location: old })).status).toBe(200);
});

it('lets one of two win that want places in each other at the same time', async () => {
  const other = await wire(under);
  try {
    for (let round = 0; round < 12; round++) {
      const outer = `${hot}/race/${round}`;
      const locations = round % 2 === 0 ? [outer, `${outer}/inner`] : [`${outer}/a/b`, `${outer}/a`];
      const body = (at: number) => ({ name: `race${round}${at}`, schema: SCHEMA, location: locations[at] });
      const answers = await Promise.all([
        http.send('POST', TABLES, body(0)),
        other.send('POST', TABLES, body(1)),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    }
  } finally {
    await other.close();
  }
});

it('leaves tables alone that lay elsewhere before, and lets an operator allow more', async () => {
  const elsewhere = `file://${under.folder}/elsewhere`;
  const wide = await openApp([elsewhere]);
  const table = { name: 'far', schema: SCHEMA, location: `${elsewhere}/far` };
  expect((await wide.inject({ method: 'POST', url: TABLES, payload: table })).statusCode).toBe(200);
  // The root of an allowed prefix may be a table, too: it is there to be registered.
  const itself = { name: 'itself', schema: SCHEMA, location: `file://${under.folder}/one` };
  const one = await openApp([`file://${under.folder}/one`]);
  expect((await one.inject({ method: 'POST', url: TABLES, payload: itself })).statusCode).toBe(200);
  await wide.close();
  await one.close();

  expect((await update('far', { action: 'set-properties', updates: { k: 'v' } })).status).toBe(200);
  const far = await under.catalog.loadTable({ ...T, name: 'far' });
  const snapshot = await stageSnapshot(under.objects, far, [], 9n);
  expect((await update('far', { action: 'add-snapshot', snapshot })).status).toBe(200);
  refused(
    await update('far', { action: 'set-properties', updates: { 'write.data.path': `${elsewhere}/data` } }),
  );
  expect((await update('far', { action: 'set-location', location: `${hot}/near` })).status).toBe(200);
});

it('learns the places of what stood before places were kept', async () => {
  const store = await openCatalogStore(under.database, systemClock);
  await http.close();
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(under.database);
  database.exec('DELETE FROM table_places');
  database.close();
  await store.close();
  http = await wire(under);
  refused(await create(`${victim}/x`));
  refused(await create(victim.slice(0, victim.lastIndexOf('/'))));
});

/** What different readers make of a location: each the absolute path that it would open. */
const READERS: Record<string, (location: string) => string> = {
  'as it stands': (location) => resolve(location.replace(/^file:\/\//i, '').replace(/^file:/i, '')),
  decoded: (location) =>
    resolve(decodeURIComponent(location.replace(/^file:(\/\/)?/i, '').replaceAll('%', (at) => at))),
  'as a URI': (location) => resolve(decodeURIComponent(new URL(location, 'file:///').pathname)),
  'cut at ? and #': (location) => resolve(location.replace(/^file:(\/\/)?/i, '').replace(/[?#].*$/s, '')),
  'with backslashes turned': (location) =>
    resolve(location.replace(/^file:(\/\/)?/i, '').replaceAll('\\', '/')),
  'made plain': (location) => resolve(location.replace(/^file:(\/\/)?/i, '').normalize('NFKC')),
};

it('accepts nothing that any reader, or the disk, takes for a place outside or in another table', async () => {
  await mkdir(join(under.folder, 'outside'));
  const inside = victim.slice(`${hot}/`.length).split('/');
  const scheme = fc.constantFrom(
    'file://',
    'file:',
    'FILE://',
    'file:/',
    '',
    'file://localhost',
    'File:////',
  );
  const step = fc.constantFrom(
    ...[
      'x',
      'y',
      '..',
      '.',
      '',
      '%2e%2e',
      '%252e%252e',
      '%2F',
      '..%2f..',
      '\\',
      '..\\',
      '?',
      '#',
      '*',
      '\u0000',
      ' ',
    ],
    ...[
      '．．',
      '／',
      '\u2024\u2024',
      'é',
      'e\u0301',
      '%c3%a9',
      'outside',
      'hot',
      '%68ot',
      'hot\n',
      'file:',
      '//',
      '%',
    ],
    ...inside,
    ...inside.map((name) => name.toUpperCase()),
  );
  const start = fc.oneof(
    { weight: 6, arbitrary: fc.constant(`${under.folder}/hot/`) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        `${under.folder}/hot`,
        `${under.folder}/`,
        victim.replace('file://', ''),
        '/',
      ),
    },
  );
  const location = fc
    .tuple(scheme, start, fc.array(step, { maxLength: 6 }), fc.constantFrom('', '/', '//'))
    .map(([a, b, steps, end]) => `${a}${b}${steps.join('/')}${end}`);
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(location, async (wanted) => {
      const before = new Set(await files());
      const answer = await create(wanted);
      const fresh = (await files()).filter((file) => !before.has(file));
      if (answer.status !== 200) {
        expect([400, 409]).toContain(answer.status);
        expect(fresh).toEqual([]);
        return;
      }
      accepted++;
      const root = `${under.folder}/hot/`;
      const taken = victim.replace('file://', '');
      for (const file of fresh) {
        expect(file.startsWith(root)).toBe(true);
        expect(file.startsWith(`${taken}/`)).toBe(false);
      }
      const stands = answer.body.metadata.location;
      for (const [who, read] of Object.entries(READERS)) {
        const path = readOrNull(read, stands);
        if (path === null) continue;
        expect(`${path}/`.startsWith(root), `${who}: ${stands}`).toBe(true);
        expect(`${path}/` === root, `${who}: ${stands}`).toBe(false);
        expect(`${path}/`.startsWith(`${taken}/`), `${who}: ${stands}`).toBe(false);
        expect(`${taken}/`.startsWith(`${path}/`), `${who}: ${stands}`).toBe(false);
      }
      const name = `${TABLES}/c${made}`;
      expect((await http.send('POST', `${name}/unregister`)).status).toBe(200);
    }),
    // A fixed seed: what is counted below must not hang on luck.
    { numRuns: 400, seed: 20261121 },
  );
  expect(accepted).toBeGreaterThan(5);
});

it('follows symbolic links of the operator, who has the files anyway', async () => {
  await mkdir(join(under.folder, 'disk2'));
  await symlink(join(under.folder, 'disk2'), join(under.folder, 'hot/linked'));
  expect((await create(`${hot}/linked/t`)).status).toBe(200);
  refused(await create(`file://${under.folder}/disk2/t`));
});

function readOrNull(read: (location: string) => string, location: string): string | null {
  try {
    return read(location);
  } catch {
    return null;
  }
}

async function openApp(allowedLocations: readonly string[]) {
  const store = await openCatalogStore(under.database, systemClock);
  const { objects } = under;
  return buildCatalogApp({ store, objects, clock: systemClock, warehouse: hot, allowedLocations });
}
