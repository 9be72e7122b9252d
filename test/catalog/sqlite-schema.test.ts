import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { embedded, newTable } from './lake.ts';
import { commit, ID, movedTable, setBranch, T } from './moved-table.ts';

/** The database as version 1 of the schema has it. */
function takeBackToVersion1(path: string, version = 1): void {
  const database = new DatabaseSync(path);
  const later = ['views', 'purge_files', 'dropped_tables', 'idempotency_keys', 'metrics_reports'];
  const latest = ['switches', 'table_places', 'audit_log', 'signing_keys', 'access_grants', 'role_members'];
  const last = ['roles', 'principal_secrets', 'principals'];
  for (const table of [...latest, ...last, ...later]) database.exec(`DROP TABLE ${table}`);
  database.exec(
    `DROP INDEX tables_of_uuid; ALTER TABLE fences DROP COLUMN after_sequence_number;
     PRAGMA user_version = ${version};`,
  );
  database.close();
}

it('brings a database of an older version up to date, with all that it holds', async () => {
  // The time stands still, so that a slow machine does not run out of the move's grace.
  const nowMs = systemClock.now();
  const under = await embedded({ ...systemClock, now: () => nowMs });
  try {
    await movedTable(under);
    takeBackToVersion1(under.database);
    const clients = await Promise.all([under.another(), under.another()]);
    for (const catalog of clients) {
      expect((await catalog.loadTable(T)).metadata['current-snapshot-id']).toBe(ID.fence);
      await expect(commit(catalog, [setBranch('main', ID.p)])).rejects.toMatchObject({
        kind: 'invalid-argument',
      });
    }
  } finally {
    await under.dispose();
  }
});

it('leaves a database of a newer version alone', async () => {
  const under = await embedded();
  try {
    await newTable(under.catalog, T);
    takeBackToVersion1(under.database, 99);
    await expect(under.another()).rejects.toMatchObject({ kind: 'unsupported' });
  } finally {
    await under.dispose();
  }
});
