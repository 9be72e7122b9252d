import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { embedded, newTable } from './lake.ts';

const PROPERTIES_EACH = 15;

/** Each process commits its own properties to the same table, one commit after another. */
const writer = (database: string, folder: string, who: string) => `
  import { openEmbeddedCatalog } from ${JSON.stringify(new URL('../../src/catalog-client/embedded.ts', import.meta.url).href)};
  import { systemClock } from ${JSON.stringify(new URL('../../src/clock.ts', import.meta.url).href)};
  const catalog = await openEmbeddedCatalog({ database: ${JSON.stringify(database)}, warehouse: 'file://${folder}/hot', clock: systemClock });
  for (let i = 0; i < ${PROPERTIES_EACH}; i++) {
    const updates = [{ action: 'set-properties', updates: { ['${who}-' + i]: 'x' } }];
    for (;;) {
      try {
        await catalog.commitTable({ identifier: { namespace: ['n'], name: 't' }, requirements: [], updates });
        break;
      } catch (error) {
        // A conflict is an outcome: nothing was applied, and the writer derives its change anew.
        if (error.kind !== 'conflict') throw error;
      }
    }
  }
  await catalog.close();
`;

it('loses no commit when two processes write to one database file', async () => {
  const under = await embedded();
  try {
    await newTable(under.catalog, { namespace: ['n'], name: 't' });
    const run = promisify(execFile);
    const start = (who: string) =>
      run(process.execPath, ['--input-type=module', '-e', writer(under.database, under.folder, who)]);
    await Promise.all([start('one'), start('two')]);
    const { metadata } = await under.catalog.loadTable({ namespace: ['n'], name: 't' });
    expect(Object.keys(metadata.properties)).toHaveLength(2 * PROPERTIES_EACH);
    expect(metadata['metadata-log']).toHaveLength(2 * PROPERTIES_EACH);
  } finally {
    await under.dispose();
  }
});
