import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import { branchNamed } from '../../src/iceberg/branch-name.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { type GuardedCatalog, guardedCatalog } from '../auth/guarded-catalog.ts';
import {
  type CatalogUnderTest,
  commitSnapshot,
  fileAt,
  newTable,
  SCHEMA,
  served,
  stageSnapshot,
} from './lake.ts';
import { type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const AUDIT = { ...T, name: 't.branch_audit' };
const PATH = '/v1/namespaces/n/tables/t';

it.each([
  ['t.branch_audit', ['t', 'audit']],
  ['t.branch_a.branch_b', ['t', 'a.branch_b']],
  ['a.b.branch_x/y', ['a.b', 'x/y']],
  ['t', null],
  ['t.branch_', null],
  ['.branch_x', null],
  ['t_branch_x', null],
])('takes %s for %j', (name, expected) => {
  const named = branchNamed({ namespace: ['n'], name });
  expect(named && [named.table.name, named.branch]).toEqual(expected);
});

describe('a table by the name of a branch', () => {
  let under: CatalogUnderTest;
  let http: Wire;
  let main: LoadedTable;
  beforeEach(async () => {
    under = await served();
    http = await wire(under);
    main = await newTable(under.catalog, T);
    for (const id of [1n, 2n]) main = await commitSnapshot(under.catalog, main, await snapshot(main, id));
    await setRef('audit', 1n);
  });
  afterEach(async () => {
    await http.close();
    await under.dispose();
  });

  const snapshot = (table: LoadedTable, id: bigint): Promise<Snapshot> =>
    stageSnapshot(under.objects, table, [fileAt(`file:///lake/${id}`)], id);
  const setRef = async (name: string, id: bigint, type: 'branch' | 'tag' = 'branch') => {
    const ref = { action: 'set-snapshot-ref', 'ref-name': name, type, 'snapshot-id': id } as const;
    main = await under.catalog.commitTable({ identifier: T, requirements: [], updates: [ref] });
  };
  const load = () => under.catalog.loadTable(AUDIT);
  const heads = async () => {
    const { metadata } = await under.catalog.loadTable(T);
    return [metadata['current-snapshot-id'], metadata.refs['audit']?.['snapshot-id']];
  };

  it('shows the branch as main, and takes what a client that knows only main commits', async () => {
    let seen = await load();
    expect(seen.metadata).toMatchObject({
      'current-snapshot-id': 1n,
      'table-uuid': main.metadata['table-uuid'],
    });
    expect(seen.metadata.refs['main']).toMatchObject({ type: 'branch', 'snapshot-id': 1n });
    expect(seen.metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([1n]);
    for (const id of [3n, 4n]) {
      seen = await commitSnapshot(under.catalog, { ...seen, identifier: AUDIT }, await snapshot(seen, id));
      expect(seen.metadata['current-snapshot-id']).toBe(id);
      expect(await heads()).toEqual([2n, id]);
    }
    expect(seen.metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([1n, 3n, 4n]);
    expect((await under.catalog.loadTable(T)).metadata['snapshot-log']).toHaveLength(2);
    expect(await under.catalog.listTables(['n'])).toEqual([T]);
  });

  it('is planned by the server as the branch has it', async () => {
    const plan = async (path: string) => {
      const { body } = await http.send('POST', `${path}/plan`, {});
      const files: { 'data-file': { 'file-path': string } }[] = body['file-scan-tasks'] ?? [];
      return files.map((task) => task['data-file']['file-path']).sort();
    };
    expect(await plan(PATH)).toEqual(['file:///lake/2']);
    expect(await plan(`${PATH}.branch_audit`)).toEqual(['file:///lake/1']);
  });

  it('keeps what the branch says of how long it lasts', async () => {
    const ref = { type: 'branch', 'snapshot-id': 1, 'max-ref-age-ms': 9, 'min-snapshots-to-keep': 3 };
    const update = { action: 'set-snapshot-ref', 'ref-name': 'audit', ...ref };
    expect((await http.send('POST', PATH, { requirements: [], updates: [update] })).status).toBe(200);
    const { metadata } = await load();
    expect(metadata.refs['main']).toEqual({ ...ref, 'snapshot-id': 1n });
    // As Java does: the ref as it was, with the new snapshot.
    const next = await snapshot(await load(), 3n);
    const moved = {
      ...metadata.refs['main'],
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      'snapshot-id': 3n,
    };
    const requirements = [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1n }];
    const updates = [{ action: 'add-snapshot', snapshot: next }, moved];
    expect((await http.send('POST', `${PATH}.branch_audit`, { requirements, updates })).status).toBe(200);
    const { refs } = (await under.catalog.loadTable(T)).metadata;
    expect(refs['audit']).toEqual({ ...ref, 'snapshot-id': 3n });
    expect(refs['main']).toEqual({ type: 'branch', 'snapshot-id': 2n });
  });

  it('refuses a writer that another one overtook, and one whose branch was dropped meanwhile', async () => {
    const seen = { ...(await load()), identifier: AUDIT };
    const [first, second] = [await snapshot(seen, 3n), await snapshot(seen, 4n)];
    await commitSnapshot(under.catalog, seen, first);
    await expect(commitSnapshot(under.catalog, seen, second)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await heads()).toEqual([2n, 3n]);
    const late = { ...(await load()), identifier: AUDIT };
    const lost = await snapshot(late, 5n);
    await under.catalog.commitTable({
      identifier: T,
      requirements: [],
      updates: [{ action: 'remove-snapshot-ref', 'ref-name': 'audit' }],
    });
    await expect(commitSnapshot(under.catalog, late, lost)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await heads()).toEqual([2n, undefined]);
  });

  const onMain = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1 };
  const refused: [string, object][] = [
    ['columns', { updates: [{ action: 'set-current-schema', 'schema-id': 0 }] }],
    ['properties', { updates: [{ action: 'set-properties', updates: { k: 'v' } }] }],
    ['places', { updates: [{ action: 'set-location', location: 'file:///lake/other' }] }],
    ['expiry', { updates: [{ action: 'remove-snapshots', 'snapshot-ids': [2] }] }],
    ['dropping main', { updates: [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }] }],
    [
      'a tag',
      {
        requirements: [onMain],
        updates: [{ action: 'set-snapshot-ref', 'ref-name': 'v1', type: 'tag', 'snapshot-id': 1 }],
      },
    ],
    [
      'a branch set without a look',
      { updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 2 }] },
    ],
    ['a table that is empty', { requirements: [{ ...onMain, 'snapshot-id': null }], updates: [] }],
    ['another ref', { requirements: [{ ...onMain, ref: 'audit' }], updates: [] }],
    ['a new table', { requirements: [{ type: 'assert-create' }], updates: [] }],
  ];
  it.each(refused)('refuses %s', async (_what, commit) => {
    const before = await under.catalog.loadTable(T);
    const told = await http.send('POST', `${PATH}.branch_audit`, { requirements: [], ...commit });
    expect(told).toMatchObject({ status: 400, body: { error: { type: 'BadRequestException' } } });
    expect(await under.catalog.loadTable(T)).toEqual(before);
  });

  it('is not there for tags, unknown branches and other verbs', async () => {
    await setRef('v1', 1n, 'tag');
    for (const name of ['v1', 'none', 'main', 'constructor', '__proto__']) {
      const path = `${PATH}.branch_${name}`;
      expect(await http.send('GET', path)).toMatchObject({
        status: 404,
        body: { error: { type: 'NoSuchTableException' } },
      });
      expect((await http.send('HEAD', path)).status).toBe(404);
      expect((await http.send('GET', path, undefined, { 'if-none-match': '*' })).status).toBe(404);
      expect((await http.send('POST', `${path}/plan`, {})).status).toBe(404);
    }
    const statistics = { requirements: [], updates: [{ action: 'remove-statistics', 'snapshot-id': 1 }] };
    expect((await http.send('POST', `${PATH}.branch_none`, statistics)).status).toBe(404);
    expect((await http.send('HEAD', `${PATH}.branch_audit`)).status).toBe(204);
    expect((await http.send('DELETE', `${PATH}.branch_none?purgeRequested=true`)).status).toBe(404);
    expect((await http.send('DELETE', `${PATH}.branch_main?purgeRequested=true`)).status).toBe(404);
    const rename = { source: AUDIT, destination: { ...T, name: 'other' } };
    expect((await http.send('POST', '/v1/tables/rename', rename)).status).toBe(404);
    expect(await heads()).toEqual([2n, 1n]);
  });

  it('is dropped with the snapshots that it alone leads to, and nothing else', async () => {
    let seen = { ...(await load()), identifier: AUDIT };
    for (const id of [3n, 4n, 5n]) {
      const next = await commitSnapshot(under.catalog, seen, await snapshot(seen, id));
      seen = { ...next, identifier: AUDIT };
    }
    await setRef('kept', 4n, 'tag');
    expect((await http.send('DELETE', `${PATH}.branch_audit?purgeRequested=true`)).status).toBe(204);
    const { metadata } = await under.catalog.loadTable(T);
    expect(Object.keys(metadata.refs).sort()).toEqual(['kept', 'main']);
    expect(metadata.snapshots.map((one) => one['snapshot-id']).sort()).toEqual([1n, 2n, 3n, 4n]);
    expect(metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([1n, 2n]);
    expect((await http.send('DELETE', `${PATH}.branch_audit`)).status).toBe(404);
    expect((await http.send('GET', '/lake/v1/dropped-tables')).body['dropped-tables']).toEqual([]);
  });

  it('is dropped though others commit to it meanwhile, and what main was at stays', async () => {
    await setRef('back', 2n);
    main = await under.catalog.commitTable({
      identifier: T,
      requirements: [],
      updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 1n }],
    });
    const seen = { ...(await load()), identifier: AUDIT };
    const next = await snapshot(seen, 3n);
    await Promise.all([
      commitSnapshot(under.catalog, seen, next).catch(() => {}),
      under.catalog.dropTable(AUDIT),
      under.catalog.dropTable({ ...T, name: 't.branch_back' }),
    ]);
    const { metadata } = await under.catalog.loadTable(T);
    expect(Object.keys(metadata.refs)).toEqual(['main']);
    expect(metadata.snapshots.map((one) => one['snapshot-id']).sort()).toEqual([1n, 2n]);
  });

  it('cannot be the name of a table or view', async () => {
    const name = 't.branch_new';
    const create = { name, schema: SCHEMA };
    for (const body of [create, { ...create, 'stage-create': true }]) {
      expect((await http.send('POST', '/v1/namespaces/n/tables', body)).status).toBe(400);
    }
    const register = { name, 'metadata-location': main.metadataLocation };
    expect((await http.send('POST', '/v1/namespaces/n/register', register)).status).toBe(400);
    const rename = { source: T, destination: { ...T, name } };
    expect((await http.send('POST', '/v1/tables/rename', rename)).status).toBe(400);
    await expect(newTable(under.catalog, { ...T, name })).rejects.toMatchObject({ kind: 'invalid-argument' });
    expect(await heads()).toEqual([2n, 1n]);
  });

  it('has ETags of its own', async () => {
    const ask = (path: string, tag?: string) =>
      http.send('GET', path, undefined, tag === undefined ? {} : { 'if-none-match': tag });
    const [ofMain, ofBranch] = [await ask(PATH), await ask(`${PATH}.branch_audit`)];
    expect(ofBranch.headers['etag']).not.toBe(ofMain.headers['etag']);
    expect((await ask(`${PATH}.branch_audit`, String(ofMain.headers['etag']))).status).toBe(200);
    expect((await ask(`${PATH}.branch_audit`, String(ofBranch.headers['etag']))).status).toBe(304);
  });

  it('holds, for any order of writers on main and branch, what each of them wrote and no more', async () => {
    const run = async (writers: readonly boolean[]) => {
      const name = `t${writers.map(Number).join('')}_${await count()}`;
      let table = await newTable(under.catalog, { ...T, name });
      table = await commitSnapshot(under.catalog, table, await snapshot(table, 1n));
      const branch = {
        action: 'set-snapshot-ref',
        'ref-name': 'b',
        type: 'branch',
        'snapshot-id': 1n,
      } as const;
      await under.catalog.commitTable({ identifier: { ...T, name }, requirements: [], updates: [branch] });
      const lines: Record<string, bigint[]> = { main: [1n], b: [1n] };
      for (const [at, isMain] of writers.entries()) {
        const identifier = { ...T, name: isMain ? name : `${name}.branch_b` };
        const seen = { ...(await under.catalog.loadTable(identifier)), identifier };
        const id = BigInt(at + 2);
        await commitSnapshot(under.catalog, seen, await snapshot(seen, id));
        lines[isMain ? 'main' : 'b']?.push(id);
      }
      for (const [ref, expected] of Object.entries(lines)) {
        const shown = ref === 'main' ? name : `${name}.branch_${ref}`;
        const { metadata } = await under.catalog.loadTable({ ...T, name: shown });
        expect(metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual(expected);
      }
    };
    let runs = 0;
    const count = async () => runs++;
    await fc.assert(fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 6 }), run), {
      numRuns: 12,
      seed: 7,
    });
  });
});

describe('rights on a branch by its name', () => {
  let catalog: GuardedCatalog;
  beforeEach(async () => {
    catalog = await guardedCatalog();
  });
  afterEach(() => catalog.dispose());

  it('are those on the table', async () => {
    await catalog.table(['n'], 't');
    await catalog.table(['n'], 'other');
    const on = { kind: 'table', name: T } as const;
    const statistics = { requirements: [], updates: [{ action: 'remove-statistics', 'snapshot-id': 1 }] };
    const statusOf = async (who: string) => {
      const send = await catalog.as(who);
      const path = `${PATH}.branch_x`;
      const [read, written] = [await send('GET', path), await send('POST', path, statistics)];
      return [read.body.error?.message, written.status, (await send('DELETE', path)).status];
    };
    await catalog.grant('reader', 'read', on);
    await catalog.grant('elsewhere', 'manage', { kind: 'table', name: { ...T, name: 'other' } });
    // The table is empty, and has no branch: who may read it is told so, a stranger is told of no table.
    expect(await statusOf('reader')).toEqual(['Table n.t has no branch x', 403, 403]);
    expect(await statusOf('elsewhere')).toEqual(['Table does not exist: n.t', 404, 404]);
    await catalog.grant('writer', 'write', on);
    expect(await statusOf('writer')).toEqual(['Table n.t has no branch x', 404, 404]);
    expect((await catalog.anyone('GET', `${PATH}.branch_x`)).status).toBe(401);
  });
});
