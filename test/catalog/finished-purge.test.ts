import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CatalogStore } from '../../catalog/store/catalog-store.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { type CatalogUnderTest, embedded, newTable } from './lake.ts';

const T = { namespace: ['n'], name: 't' };
let under: CatalogUnderTest;
let store: CatalogStore;
beforeEach(async () => {
  under = await embedded();
  await newTable(under.catalog, T);
  store = await openCatalogStore(under.database, systemClock);
});
afterEach(async () => {
  await store.close();
  await under.dispose();
});

it('leaves a purge done that one server has finished, whatever a slower one still notes', async () => {
  await store.dropTable(T, { expected: null, record: { id: 'd', nowMs: 1, state: 'purging' } });
  await store.addPurgeFiles('d', [{ object: 'o', location: 'l' }]);
  await store.setPurgeState('d', { state: 'purged', note: null });
  // From here on another table may be made in the place: nothing may be listed to be deleted there.
  await expect(store.addPurgeFiles('d', [{ object: 'p', location: 'p' }])).rejects.toMatchObject({
    kind: 'conflict',
  });
  await store.setPurgeState('d', { state: 'listed', note: 'slow' });
  expect(await store.getDropped('d')).toMatchObject({ state: 'purged', note: null });
  expect(await store.nextPurgeFiles('d', 10)).toEqual([]);
});

it('takes no right from anybody in maintenance, when the catalog may be on its way to another place', async () => {
  await store.setMaintenance({ sinceMs: 1, reason: 'moved' });
  const change = (name: string) => (sql: { run(text: string, ...values: string[]): Promise<number> }) =>
    sql.run("INSERT INTO namespaces VALUES (?, '{}')", name);
  await expect(store.access.change(change('refused'))).rejects.toMatchObject({ kind: 'unavailable' });
  // Keys that tokens for reading are signed with are made all the same.
  await store.access.changeAnyTime(change('made'));
  await store.setMaintenance(null);
  await store.access.change(change('later'));
  const { rows } = await store.listNamespaces([], { limit: 10 });
  expect(rows.flat().sort()).toEqual(['later', 'made', 'n']);
});
