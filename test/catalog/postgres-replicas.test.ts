import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { postgresOfFile } from '../postgres/catalog.ts';
import { embedded } from './lake.ts';

const postgres = postgresOfFile();
const PROPERTIES_EACH = 12;
const LEASES_EACH = 10;
const T = { namespace: ['n'], name: 't' };

const importOf = (what: string, file: string) =>
  `import { ${what} } from ${JSON.stringify(new URL(file, import.meta.url).href)};`;

/**
 * A server of its own process: makes the schema with the others, races them for the table, commits its own properties to it, and takes
 * the table's lease in turns, counting under it what a second holder at the same time would count wrong.
 */
const replica = (database: string, folder: string, who: string) => `
  ${importOf('openEmbeddedCatalog', '../../src/catalog-client/embedded.ts')}
  ${importOf('openCatalogStore', '../../catalog/store/open-store.ts')}
  ${importOf('systemClock', '../../src/clock.ts')}
  const database = ${JSON.stringify(database)};
  const catalog = await openEmbeddedCatalog({ database, warehouse: 'file://${folder}/hot', clock: systemClock });
  const unless = (...kinds) => (error) => { if (!kinds.includes(error.kind)) throw error; };
  await catalog.createNamespace(['n']).catch(unless('already-exists'));
  const schema = { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', required: true, type: 'long' }] };
  const made = await catalog.createTable(['n'], { name: 't', schema }).then(() => 1, unless('already-exists'));
  for (let i = 0; i < ${PROPERTIES_EACH}; i++) {
    const updates = [{ action: 'set-properties', updates: { ['${who}-' + i]: 'x' } }];
    for (let done = false; !done; ) {
      // A conflict is an outcome: nothing was applied, and the writer derives its change anew.
      await catalog.commitTable({ identifier: ${JSON.stringify(T)}, requirements: [], updates }).then(() => { done = true; }, unless('conflict'));
    }
  }
  const store = await openCatalogStore(database, systemClock);
  await store.createNamespace(['count'], { count: '0' }).catch(unless('already-exists'));
  for (let i = 0; i < ${LEASES_EACH}; i++) {
    const id = '${who}-' + i;
    const lease = { id, tableUuid: 'u', holder: '${who}', expiresAtMs: systemClock.now() + 60_000 };
    for (let held = false; !held; ) {
      await store.acquireLease(lease, systemClock.now()).then(() => { held = true; }, unless('conflict'));
    }
    const { count } = await store.loadNamespace(['count']);
    await store.updateNamespace(['count'], () => ({ count: String(Number(count) + 1) }));
    await store.releaseLease(id);
  }
  await store.close();
  await catalog.close();
  console.log(made ?? 0);
`;

describe.skipIf(postgres.missing !== null)('servers of one catalog in PostgreSQL', () => {
  it('start at once on an empty database, lose no commit, and hold a lease one at a time', async () => {
    const place = postgres.place();
    const folder = await mkdtemp(join(tmpdir(), 'lake-replicas-'));
    const run = promisify(execFile);
    const names = ['one', 'two', 'three'];
    const outputs = await Promise.all(
      names.map((who) => run(process.execPath, ['--input-type=module', '-e', replica(place, folder, who)])),
    );
    expect(outputs.map(({ stdout }) => Number(stdout)).reduce((a, b) => a + b)).toBe(1);
    const under = await embedded(undefined, place);
    const { metadata } = await under.catalog.loadTable(T);
    expect(Object.keys(metadata.properties)).toHaveLength(names.length * PROPERTIES_EACH);
    expect(metadata['metadata-log']).toHaveLength(names.length * PROPERTIES_EACH);
    await under.dispose();
    const store = await openCatalogStore(place, systemClock);
    expect(await store.loadNamespace(['count'])).toEqual({ count: String(names.length * LEASES_EACH) });
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }, 120_000);
});
