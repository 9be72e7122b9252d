import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CatalogServer, startCatalogServer } from '../../catalog/server.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import {
  allObjects,
  append,
  createTable,
  everything,
  leakedObjects,
  type MovingLake,
  openMovingLake,
  remove,
} from '../tiering/moving-lake.ts';

const AT_WARM = Date.parse('2001-03-04T00:00:00Z');

let lake: MovingLake;
let server: CatalogServer;
beforeEach(async () => {
  lake = await openMovingLake();
  const database = `${lake.root}/catalog.db`;
  const warehouse = `file://${lake.root}/warehouse/hot`;
  server = await startCatalogServer({
    database,
    warehouse,
    tiers: lake.config.tiers,
    host: '127.0.0.1',
    port: 0,
    clock: lake.clock,
  });
});
afterEach(async () => {
  await server.close();
  await lake.close();
});

function policies() {
  const text = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.*"] }, grace: 1h, age: { from: partition }, transitions: [ { to: warm, after: 30d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

/** The same catalog behind a network that loses the answers to the first `times` requests whose address matches. */
function losingAnswers(pattern: RegExp, times: number) {
  let lost = 0;
  const catalog = new RestCatalog({
    uri: server.address,
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      if (!pattern.test(url) || lost === times) return answer;
      lost++;
      await answer.text();
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      });
    },
  });
  return { ...lake, catalog, lostAnswers: () => lost };
}

async function twoTables(): Promise<void> {
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 40);
  await remove(lake, 'moved', 'id % 10 = 3');
}

it('ends a move as done when the answer to its swap is lost', async () => {
  await twoTables();
  const before = await everything(lake, 'moved');
  const losing = losingAnswers(/\/swap$/, 1);
  const outcome = await applyPlan(losing, await planMoves(losing, policies(), AT_WARM));
  expect(losing.lostAnswers()).toBe(1);
  expect(outcome.relocations).toMatchObject([{ table: 'gold.moved', state: 'swapped' }]);
  expect(await everything(lake, 'moved')).toEqual(before);
  const { metadata } = await lake.catalog.loadTable({ namespace: ['gold'], name: 'moved' });
  const fences = metadata.snapshots.filter((one) => one.summary.operation === 'replace');
  expect(fences).toHaveLength(1);
});

it('leaves a move whose swap and journal cannot be asked about to the next run, and deletes nothing', async () => {
  await twoTables();
  const before = await everything(lake, 'moved');
  const losing = losingAnswers(/\/swap$|\/relocations\/[^/]+$/, 100);
  await expect(
    planMoves(losing, policies(), AT_WARM).then((plan) => applyPlan(losing, plan)),
  ).rejects.toMatchObject({ kind: 'unknown-outcome' });
  expect(await everything(lake, 'moved')).toEqual(before);
  await applyPlan(lake, await planMoves(lake, policies(), AT_WARM));
  expect(await everything(lake, 'moved')).toEqual(before);
  lake.pass(2 * 3_600_000);
  await applyPlan(lake, await planMoves(lake, policies(), AT_WARM));
  expect(await everything(lake, 'moved')).toEqual(before);
  expect(await leakedObjects(lake)).toEqual([]);
  expect((await allObjects(lake)).filter((name) => name.includes('/warm/')).length).toBeGreaterThan(0);
});

it('moves nothing of a table of format v3, and says why', async () => {
  await twoTables();
  await lake.catalog.commitTable({
    identifier: { namespace: ['gold'], name: 'moved' },
    requirements: [],
    updates: [{ action: 'upgrade-format-version', 'format-version': 3 }],
  });
  const plan = await planMoves(lake, policies(), AT_WARM);
  expect(plan.moves).toEqual([]);
  expect(plan.kept[0]).toMatchObject({ table: 'gold.moved', reason: expect.stringContaining('v3') });
});

it('swaps nothing of a table of format v1, whoever asks for it', async () => {
  await lake.catalog.createNamespace(['gold']);
  const table = await lake.catalog.createTable(['gold'], {
    name: 'old',
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 1, name: 'id', required: false, type: 'int' }],
    },
    properties: { 'format-version': '1' },
  });
  expect(table.metadata['format-version']).toBe(1);
  const call = <R>(path: string, body: unknown) =>
    lake.catalog.extension<R>('POST', `/lake/v1/${path}`, body);
  const uuid = table.metadata['table-uuid'];
  const wanted = { 'table-uuid': uuid, holder: 'test', 'ttl-ms': 60_000 };
  const { 'lease-id': leaseId } = await call<{ 'lease-id': string }>('leases', wanted);
  const relocation = {
    'relocation-id': 'r1',
    'lease-id': leaseId,
    'table-uuid': uuid,
    'grace-ms': 1,
    plan: null,
  };
  await call('relocations', { ...relocation, namespace: ['gold'], table: 'old' });
  const swap = {
    'lease-id': leaseId,
    'base-metadata-location': table.metadataLocation,
    snapshots: [],
    fences: [],
  };
  await expect(call('relocations/r1/swap', swap)).rejects.toMatchObject({ kind: 'unsupported' });
});
