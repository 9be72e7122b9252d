import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { openLake } from '../../src/project/open-lake.ts';
import { appendSelect } from '../../src/table/append.ts';
import { lake, type Recorded } from './recorded-terminal.ts';

const TABLE = 'a.t';
const YAML = `version: 1
name: tables
warehouse: ./.lake/warehouse
catalog: { embedded: ./.lake/catalog.db }
tiers:
  hot: { location: "{warehouse}/hot" }
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-cli-table-'));
  await mkdir(join(folder, '.lake'));
  await writeFile(join(folder, 'lake.yaml'), YAML);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withTable(
  use: (write: (ids: string, branch?: string) => Promise<string>) => Promise<void>,
): Promise<void> {
  const open = await openLake(await loadLake(folder, {}), systemClock);
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    await use(async (range, branch = 'main') => {
      const done = await appendSelect(
        open,
        engine,
        { namespace: ['a'], name: 't' },
        {
          sql: `SELECT i AS id, 'n' || i AS note FROM range(${range}) r(i)`,
          branch,
        },
      );
      return String(done.snapshotId);
    });
  } finally {
    await engine.close();
    await open.close();
  }
}

beforeEach(async () => {
  const open = await openLake(await loadLake(folder, {}), systemClock);
  if (!(await open.catalog.namespaceExists(['a']))) await open.catalog.createNamespace(['a']);
  if (await open.catalog.tableExists({ namespace: ['a'], name: 't' }))
    await open.catalog.dropTable({ namespace: ['a'], name: 't' });
  await open.catalog.createTable(['a'], {
    name: 't',
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'id', required: false, type: 'long' },
        { id: 2, name: 'note', required: false, type: 'string' },
      ],
    },
  });
  await open.close();
});

const run = (...argv: string[]): Promise<Recorded> => lake(folder, argv);
async function json(
  ...argv: string[]
): Promise<Record<string, unknown> & { error?: Record<string, unknown> }> {
  return JSON.parse((await run('--output', 'json', 'table', ...argv)).stdout);
}
const count = async (): Promise<unknown> =>
  JSON.parse((await run('--output', 'json', 'sql', `SELECT count(*)::INT AS n FROM ${TABLE}`)).stdout)[0].n;

describe('lake table', () => {
  it('write, audit, publish, roll back: each says what it did, and a diverged branch is a conflict (6)', async () => {
    await withTable(async (write) => {
      await write('3');
      await run('table', 'tag', TABLE, 'three');
      await write('3, 5', 'audit');
    });
    expect(await count()).toBe(3);
    expect(await json('branch', TABLE)).toMatchObject([{ name: 'main' }, { name: 'audit' }]);
    expect(await json('publish', TABLE, 'audit')).toMatchObject({
      branch: 'main',
      published: 'audit',
      changed: true,
    });
    expect(await count()).toBe(5);
    expect(await json('rollback', TABLE, '--to', 'three')).toMatchObject({
      branch: 'main',
      fence: null,
      changed: true,
    });
    expect(await count()).toBe(3);
    const gone = await run('table', 'rollback', TABLE, '--to', 'threee');
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('lake table history') });
    let side = '';
    await withTable(async (write) => {
      side = await write('7, 8', 'side');
      await write('9, 10');
    });
    const conflict = await run('table', 'branch', TABLE, 'main', '--fast-forward', 'side');
    expect(conflict).toMatchObject({ code: 6, stderr: expect.stringContaining('cherry-pick') });
    expect(await json('cherry-pick', TABLE, side)).toMatchObject({ picked: side, branch: 'main' });
    expect(await json('cherry-pick', TABLE, side)).toMatchObject({ error: { kind: 'already-exists' } });
    expect(await count()).toBe(5);
    expect(await json('delete', TABLE, '--where', 'id > 1', '--branch', 'less')).toMatchObject({
      deleted_records: 3,
    });
    expect(await count()).toBe(5);
    expect(await json('branch', TABLE, 'less', '--drop')).toMatchObject({ dropped: true });
    expect((await run('table', 'branch', TABLE, 'less', '--drop')).code).toBe(1);
    expect((await run('table', 'branch', TABLE, '--drop')).code).toBe(2);
  });

  it('alter changes columns, partitioning, order and properties in one commit, or nothing', async () => {
    await withTable(async (write) => void (await write('3')));
    const many = [
      '--add-column',
      'place struct<city: string, at: list<double>>',
      '--rename-column',
      'note=remark',
    ];
    const more = [
      '--move-column',
      'remark first',
      '--add-partition',
      'bucket(4, id)',
      '--sort-by',
      'remark desc, id',
    ];
    expect(await json('alter', TABLE, ...many, ...more, '--set', 'a=b=c')).toMatchObject({
      changed: true,
      schema_id: 1,
      spec_id: 1,
      sort_order_id: 1,
    });
    const shown = await json('show', TABLE);
    expect(shown).toMatchObject({ partitioning: ['bucket[4](id)'], properties: { a: 'b=c' } });
    expect((shown['columns'] as { name: string }[]).map((column) => column.name)).toEqual([
      'remark',
      'id',
      'place',
    ]);
    expect(await count()).toBe(3);
    const refused: readonly (readonly [string[], object])[] = [
      [['--set', 'x=1', '--drop-column', 'remrk'], { kind: 'not-found', hint: 'did you mean remark?' }],
      [['--drop-column', 'id'], { kind: 'invalid-argument', message: expect.stringContaining('id_bucket') }],
      [['--drop-partition', 'id_bukket'], { kind: 'not-found', hint: 'Did you mean id_bucket?' }],
      [['--unset', 'aa'], { kind: 'not-found' }],
      [
        ['--add-column', 'x lonk'],
        { kind: 'invalid-argument', hint: expect.stringContaining('Did you mean long?') },
      ],
      [['--widen-column', 'id=int'], { kind: 'invalid-argument' }],
      [['--upgrade-format', '3'], { kind: 'unsupported' }],
      [[], { kind: 'usage' }],
    ];
    for (const [options, error] of refused) {
      expect(await json('alter', TABLE, ...options), options.join(' ')).toMatchObject({ error });
    }
    expect((await json('show', TABLE))['properties']).not.toHaveProperty('x');
    await json(
      'alter',
      TABLE,
      '--drop-partition',
      'id_bucket',
      '--sort-by',
      'none',
      '--unset',
      'a',
      '--drop-column',
      'place',
    );
    expect(await json('show', TABLE)).toMatchObject({ partitioning: [], properties: {} });
    expect(await json('alter', TABLE, '--sort-by', 'none')).toMatchObject({ changed: false });
  });

  it('drop asks first, undrop brings back, and a purge is for good', async () => {
    await withTable(async (write) => void (await write('3')));
    expect(await run('table', 'drop', TABLE)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(await run('--yes', 'table', 'drop', TABLE)).toMatchObject({ code: 0 });
    expect((await run('table', 'show', TABLE)).code).toBe(1);
    expect(await json('undrop', 'a.tt')).toMatchObject({
      error: { kind: 'not-found', hint: expect.stringContaining('a.t?') },
    });
    expect(await json('undrop', TABLE)).toMatchObject({ table: TABLE });
    expect(await count()).toBe(3);
    expect(await run('--yes', 'table', 'drop', TABLE, '--purge')).toMatchObject({ code: 0 });
    expect((await run('table', 'undrop')).stdout.split('\n')[1]).toMatch(/^a\.t .* purged/);
  });

  it('purge deletes the files of a table that was dropped before, by its name or id; it asks, and comes once', async () => {
    await withTable(async (write) => void (await write('3')));
    const { location } = await json('show', TABLE);
    const files = async () => {
      const all = await readdir(String(location).slice('file://'.length), { recursive: true });
      return all.filter((name) => name.includes('.')).length;
    };
    expect(await run('--yes', 'table', 'drop', TABLE)).toMatchObject({ code: 0 });
    const dropped = async () => JSON.parse((await run('-o', 'json', 'table', 'list', '--dropped')).stdout)[0];
    const { id, state } = await dropped();
    expect(state).toBe('dropped');
    expect(await run('table', 'purge', TABLE)).toMatchObject({ code: 2 });
    expect(await json('purge', 'a.tt')).toMatchObject({
      error: { kind: 'not-found', hint: expect.stringContaining('a.t?') },
    });
    expect(await files()).toBeGreaterThan(3);
    expect(await run('--yes', 'table', 'purge', id)).toMatchObject({ code: 0 });
    await run('table', 'list');
    expect(await dropped()).toMatchObject({ id, state: 'purged' });
    expect(await files()).toBe(0);
    expect(await json('undrop', id)).toMatchObject({ error: { kind: 'not-found' } });
    expect(await json('purge', id)).toMatchObject({ error: { kind: 'not-found' } });
  });
});
