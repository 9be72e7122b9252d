import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cutTasks, FILES_PER_TASK } from '../../catalog/planning/cut-tasks.ts';
import type { ListPosition } from '../../catalog/planning/plan-token.ts';
import { scanFiles } from '../../catalog/planning/scan-files.ts';
import { type FetchedPlan, ScanPlans } from '../../catalog/planning/scan-plans.ts';
import { pinScan, scanOf } from '../../catalog/planning/scan-request.ts';
import { WorkSlots } from '../../catalog/planning/work-slots.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { LakeError } from '../../src/errors.ts';
import { type CatalogUnderTest, embedded, fileAt } from './lake.ts';
import { movedTable, NEW, OLD } from './moved-table.ts';
import { change, dataFile, P, PATH, planned, plannedTable } from './planned-table.ts';
import { type Wire, wire } from './wire.ts';

let under: CatalogUnderTest;
let server: Wire;
let laterMs = 0;
const clock: Clock = { ...systemClock, now: () => systemClock.now() + laterMs };
beforeEach(async () => {
  laterMs = 0;
  under = await embedded();
  server = await wire(under, { clock });
});
afterEach(async () => {
  await server.close();
  await under.dispose();
});

const plan = (body: unknown = {}) => server.send('POST', `${PATH}/plan`, body);
const eq = (term: string, value: unknown) => ({ type: 'eq', term, value });

/** Three days, one file each, and a position delete on the second day's. */
async function threeDays() {
  let table = await plannedTable(under);
  table = await change(under, table, 1n, {
    manifests: [
      [
        dataFile('file:///d/0.parquet', [0, 1], [0n, 9n]),
        dataFile('file:///d/1.parquet', [1, 2], [10n, 19n]),
      ],
      [dataFile('file:///d/2.parquet', [2, 3], [20n, 29n])],
    ],
  });
  const remove = fileAt('file:///d/del.parquet', { content: 'position-deletes', partition: [1, 2] });
  return change(under, table, 2n, { manifests: [[remove]], operation: 'delete' });
}

it('answers the files of the current snapshot at once, with their deletes, partitions and residual filters', async () => {
  await threeDays();
  const filter = { type: 'and', left: eq('day', '1970-01-02'), right: { type: 'gt', term: 'id', value: 12 } };
  const { status, body } = await plan({ filter });
  expect(status).toBe(200);
  expect(body).toEqual({
    status: 'completed',
    'plan-id': expect.any(String),
    'file-scan-tasks': [
      {
        'data-file': {
          'spec-id': 0,
          content: 'data',
          'file-path': 'file:///d/1.parquet',
          'file-format': 'parquet',
          partition: ['1970-01-02', 2],
          'file-size-in-bytes': 10,
          'record-count': 10,
          'split-offsets': [4],
          'sort-order-id': 0,
        },
        'delete-file-references': [0],
        'residual-filter': filter.right,
      },
    ],
    'delete-files': [
      {
        'spec-id': 0,
        content: 'position-deletes',
        'file-path': 'file:///d/del.parquet',
        'file-format': 'parquet',
        partition: ['1970-01-02', 2],
        'file-size-in-bytes': 10,
        'record-count': 1,
      },
    ],
  });
});

it('lists its endpoints in the config', async () => {
  const { body } = await server.send('GET', '/v1/config');
  const table = '/v1/{prefix}/namespaces/{namespace}/tables/{table}';
  for (const endpoint of [
    `POST ${table}/plan`,
    `GET ${table}/plan/{plan-id}`,
    `DELETE ${table}/plan/{plan-id}`,
    `POST ${table}/tasks`,
  ]) {
    expect(body.endpoints).toContain(endpoint);
  }
});

it('plans a table without a snapshot as one without files', async () => {
  await plannedTable(under);
  expect((await plan()).body).toMatchObject({ status: 'completed', 'file-scan-tasks': [] });
});

it('plans an older snapshot, and the appends between two', async () => {
  let table = await threeDays();
  table = await change(under, table, 3n, {
    manifests: [[dataFile('file:///d/compacted.parquet', [0, 1])]],
    operation: 'replace',
    keeps: false,
  });
  await change(under, table, 4n, { manifests: [[dataFile('file:///d/4.parquet', [0, 1])]] });
  const paths = async (body: object) => (await planned(server, body)).map(({ path }) => path.slice(10, -8));
  expect(await paths({})).toEqual(['compacted', '4']);
  expect(await paths({ 'snapshot-id': 1n })).toEqual(['0', '1', '2']);
  expect(await paths({ 'start-snapshot-id': 1n, 'end-snapshot-id': 4n })).toEqual(['4']);
  expect(await paths({ 'start-snapshot-id': 2n, 'end-snapshot-id': 2n })).toEqual([]);
  expect((await planned(server, { 'snapshot-id': 2n })).map(({ deletes }) => deletes.length)).toEqual([
    0, 1, 0,
  ]);
});

it('sends statistics of the fields that were asked for, typed, and binary to Java, which reads them so', async () => {
  await threeDays();
  const body = { 'stats-fields': ['id'], filter: eq('day', '1970-01-01') };
  const [typed] = await planned(server, body);
  expect(typed?.file).toMatchObject({
    'column-sizes': { keys: [1], values: [80] },
    'value-counts': { keys: [1], values: [10] },
    'null-value-counts': { keys: [1], values: [0] },
    'lower-bounds': { keys: [1], values: [0] },
    'upper-bounds': { keys: [1], values: [9] },
  });
  const java = { 'x-client-version': 'Apache Iceberg 1.11.0 (commit abc)' };
  const [binary] = await planned(server, body, { headers: java });
  expect(binary?.file['upper-bounds']).toEqual({ keys: [1], values: ['0900000000000000'] });
});

it('finds columns in any case where the client says so, and only there', async () => {
  await threeDays();
  const filter = { type: 'is-null', term: 'NAME' };
  expect((await plan({ filter })).status).toBe(400);
  expect((await plan({ filter, 'case-sensitive': false, select: ['ID'] })).status).toBe(200);
  expect((await plan({ select: ['ID'] })).status).toBe(400);
});

it.each<[string, object]>([
  ['a snapshot that is not there', { 'snapshot-id': 99 }],
  ['a snapshot and a range', { 'snapshot-id': 1, 'start-snapshot-id': 1, 'end-snapshot-id': 2 }],
  ['half a range', { 'start-snapshot-id': 1 }],
  ['the other half', { 'end-snapshot-id': 1 }],
  ['a range backwards', { 'start-snapshot-id': 2, 'end-snapshot-id': 1 }],
  ['a filter of a type that nobody knows', { filter: { type: 'like', term: 'Name', value: 'a%' } }],
  ['statistics of an unknown column', { 'stats-fields': ['nope'] }],
  ['a fractional snapshot id', { 'snapshot-id': 1.5 }],
  ['a negative number of rows', { 'min-rows-requested': -1 }],
])('refuses %s', async (_, body) => {
  await threeDays();
  const { status, body: answer } = await plan(body);
  expect({ status, type: answer.error.type }).toEqual({ status: 400, type: 'BadRequestException' });
});

it('cuts a large result into tasks that any server answers, after a restart too', async () => {
  const table = await plannedTable(under);
  const many = Array.from({ length: 2500 }, (_, at) => dataFile(`file:///d/big-${at}.parquet`, [0, 1]));
  const small = Array.from({ length: 150 }, (_, at) => [dataFile(`file:///d/small-${at}.parquet`, [1, 1])]);
  const remove = fileAt('file:///d/del.parquet', {
    content: 'equality-deletes',
    partition: [0, 1],
    equalityIds: [1],
  });
  let changed = await change(under, table, 1n, {
    manifests: [...small.slice(0, 70), many, ...small.slice(70)],
  });
  changed = await change(under, changed, 2n, { manifests: [[remove]], operation: 'delete' });
  const { body } = await plan();
  expect(body['file-scan-tasks']).toBeUndefined();
  expect(body['plan-tasks'].length).toBeGreaterThan(3);
  const other = await wire(under);
  const found = await planned(other);
  const again = await server.send('GET', `${PATH}/plan/${body['plan-id']}`);
  expect(again.body).toEqual(body);
  expect((await other.send('POST', `${PATH}/tasks`, { 'plan-task': body['plan-tasks'][0] })).status).toBe(
    200,
  );
  await other.close();
  expect(new Set(found.map(({ path }) => path)).size).toBe(2650);
  expect(found).toHaveLength(2650);
  expect(found.filter(({ deletes }) => deletes.length === 1)).toHaveLength(2500);
});

it('takes long filters, and refuses one that no token could hold', async () => {
  const table = await plannedTable(under);
  const manifests = Array.from({ length: 70 }, (_, at) => [
    dataFile(`file:///d/${at}.parquet`, [at % 4, 1], [BigInt(at), BigInt(at)]),
  ]);
  await change(under, table, 1n, { manifests });
  const random = Array.from({ length: 12_000 }, (_, at) => ((at * 7919) % 99_991) * 7 + 13);
  const filter = { type: 'in', term: 'id', values: random };
  const { body } = await plan({ filter });
  expect(JSON.stringify(body).length).toBeLessThan(2 * 1024 * 1024);
  expect((await planned(server, { filter })).length).toBe(70);
  const texts = random.map((one) => createHash('sha256').update(String(one)).digest('hex'));
  const tooLong = { type: 'in', term: 'Name', values: texts };
  expect((await plan({ filter: tooLong })).status).toBe(400);
});

it('forgets a cancelled plan', async () => {
  const table = await plannedTable(under);
  const manifests = Array.from({ length: 70 }, (_, at) => [dataFile(`file:///d/${at}.parquet`, [0, 1])]);
  await change(under, table, 1n, { manifests });
  const { body } = await plan();
  const one = `${PATH}/plan/${body['plan-id']}`;
  expect((await server.send('GET', one)).body.status).toBe('completed');
  expect((await server.send('DELETE', one)).status).toBe(204);
  expect((await server.send('DELETE', one)).status).toBe(204);
  expect((await server.send('GET', one)).body).toEqual({ status: 'cancelled' });
  const task = await server.send('POST', `${PATH}/tasks`, { 'plan-task': body['plan-tasks'][0] });
  expect(task.body.error).toMatchObject({ code: 404, type: 'NoSuchPlanTaskException' });
  expect((await plan()).body.status).toBe('completed');
});

it('knows no plan and no task of another table, of a time long gone, or of an expired snapshot', async () => {
  let table = await plannedTable(under);
  const manifests = Array.from({ length: 70 }, (_, at) => [dataFile(`file:///d/${at}.parquet`, [0, 1])]);
  table = await change(under, table, 1n, { manifests });
  await plannedTable(under, { namespace: ['n'], name: 'other' });
  const { body } = await plan();
  const ask = async (path: string, id: string, task: string) => [
    (await server.send('GET', `${path}/plan/${id}`)).body?.error?.type,
    (await server.send('DELETE', `${path}/plan/${id}`)).body?.error?.type,
    (await server.send('POST', `${path}/tasks`, { 'plan-task': task })).body?.error?.type,
  ];
  const none = ['NoSuchPlanIdException', 'NoSuchPlanIdException', 'NoSuchPlanTaskException'];
  const [id, task] = [body['plan-id'], body['plan-tasks'][0]];
  expect(await ask('/v1/namespaces/n/tables/other', id, task)).toEqual(none);
  expect(await ask(PATH, 'nonsense', 'nonsense')).toEqual(none);
  expect(await ask(PATH, task.slice(0, -9), `${task.slice(0, -9)}%00`)).toEqual(none);
  // A plan's id is no task, and the other way round.
  expect((await ask(PATH, id, id))[2]).toBe('NoSuchPlanTaskException');
  laterMs = 25 * 3600 * 1000;
  expect(await ask(PATH, id, task)).toEqual(none);
  laterMs = 0;
  table = await change(under, table, 2n, { manifests: [[dataFile('file:///d/x.parquet', [0, 1])]] });
  await under.catalog.commitTable({
    identifier: P,
    requirements: [],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': [1n] }],
  });
  expect((await ask(PATH, id, task))[2]).toBe('NoSuchPlanTaskException');
  expect((await server.send('POST', '/v1/namespaces/n/tables/none/plan', {})).body.error.type).toBe(
    'NoSuchTableException',
  );
});

it('says which file is missing, and does not answer a plan that lacks files', async () => {
  const table = await threeDays();
  const list = table.metadata.snapshots.at(-1)!['manifest-list'];
  await under.objects.delete([`${table.metadata.location}/metadata/m-1-1.avro`]);
  expect((await plan()).body.error).toMatchObject({ code: 404, type: 'NotFoundException' });
  await under.objects.delete([list]);
  expect((await plan()).body.error.message).toContain(list);
  await under.objects.put(list, new TextEncoder().encode('no manifest list'));
  expect(await plan()).toMatchObject({ status: 200, body: { status: 'failed', error: { code: 500 } } });
});

it('holds through a move between tiers: what was planned before it is answered with the new places', async () => {
  const { before, after } = await movedTable(under);
  const plans = new ScanPlans(under.objects, clock, () => async () => {});
  const paths = (plan: FetchedPlan) =>
    ('file-scan-tasks' in plan ? (plan['file-scan-tasks'] ?? []) : []).map(
      (task) => (task['data-file'] as Record<string, unknown>)['file-path'],
    );
  const plan = await plans.plan(before.metadata, pinScan(before.metadata, {}), 'typed');
  expect(paths(plan)).toEqual([OLD.p, OLD.h]);
  const fetched = await plans.fetch(after.metadata, plan['plan-id'], 'typed');
  expect(paths(fetched)).toEqual([NEW.p, NEW.h]);
});

it('plans so many scans at once and no more', async () => {
  const slots = new WorkSlots({ running: 2, waiting: 3 });
  const gate = Promise.withResolvers<void>();
  const runs = Array.from({ length: 8 }, () =>
    slots
      .run(() => gate.promise)
      .then(
        () => 'done',
        (error: unknown) => (error as LakeError).kind,
      ),
  );
  gate.resolve();
  expect((await Promise.all(runs)).sort()).toEqual([
    ...Array(5).fill('done'),
    ...Array(3).fill('unavailable'),
  ]);
  // Slots of work that failed are free again.
  const failing = Array.from({ length: 4 }, () =>
    slots.run(() => Promise.reject(new Error('x'))).catch(() => 'failed'),
  );
  expect(await Promise.all(failing)).toEqual(Array(4).fill('failed'));
  expect(await slots.run(async () => 'again')).toBe('again');
});

it('cuts on from where it stopped, and leaves out nothing in between', async () => {
  let table = await plannedTable(under);
  const big = (name: string) =>
    Array.from({ length: 1001 }, (_, at) => dataFile(`file:///d/${name}-${at}.parquet`, [0, 1]));
  const small = [dataFile('file:///d/small.parquet', [0, 1])];
  table = await change(under, table, 1n, { manifests: [small, big('a'), small, big('b'), big('c'), small] });
  const scan = scanOf(table.metadata, pinScan(table.metadata, {}));
  const paths: string[] = [];
  let turns = 0;
  for (let rest: ListPosition | null | undefined; rest !== null; turns++) {
    const cut = await cutTasks(under.objects, scan, rest ?? null, 2);
    for (const parts of cut.tasks) {
      const { data } = await scanFiles(under.objects, scan, parts);
      expect(data.length).toBeLessThanOrEqual(FILES_PER_TASK);
      paths.push(...data.map((one) => one.data.file.filePath));
    }
    rest = cut.rest;
  }
  expect(turns).toBeGreaterThan(2);
  expect(paths).toHaveLength(3 * 1001 + 3);
  expect(new Set(paths).size).toBe(3 * 1001 + 1);
});
