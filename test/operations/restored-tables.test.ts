import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { backUp } from '../../catalog/operations/backup.ts';
import { restoreBackup } from '../../catalog/operations/restore.ts';
import { checkRestored, type RestoredTableProblem } from '../../catalog/operations/restored-tables.ts';
import { MetadataFiles, TABLE_CODEC, VIEW_CODEC } from '../../catalog/service/metadata-files.ts';
import { openCatalogStore, openSqlDatabase } from '../../catalog/store/open-store.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { systemClock } from '../../src/clock.ts';
import {
  type CatalogUnderTest,
  commitSnapshot,
  embedded,
  fileAt,
  newTable,
  stageSnapshot,
} from '../catalog/lake.ts';
import { movedTable, T } from '../catalog/moved-table.ts';

let under: CatalogUnderTest;
let target: string;

beforeEach(async () => {
  under = await embedded();
  target = join(under.folder, 'restored.db');
});
afterEach(() => under.dispose());

async function backedUp(): Promise<string> {
  const file = join(under.folder, 'backup');
  const database = await openSqlDatabase(under.database, systemClock);
  await backUp(database, file, systemClock).finally(() => database.close());
  return file;
}

async function restore(file: string, change: readonly string[] = []): Promise<void> {
  const database = await openSqlDatabase(target, systemClock);
  await restoreBackup(database, file);
  for (const sql of change) await database.run(sql);
  await database.close();
}

async function problems(): Promise<RestoredTableProblem[]> {
  const store = await openCatalogStore(target, systemClock);
  const { objects } = under;
  const found: RestoredTableProblem[] = [];
  const files = new MetadataFiles(objects, systemClock, TABLE_CODEC);
  const viewFiles = new MetadataFiles(objects, systemClock, VIEW_CODEC);
  for await (const problem of checkRestored({ store, objects, files, viewFiles })) found.push(problem);
  await store.close();
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

const append = async (name: string, id: bigint) => {
  const table = await under.catalog.loadTable({ namespace: ['n'], name });
  const snapshot = await stageSnapshot(under.objects, table, [fileAt(`file:///x/${name}-${id}.parquet`)], id);
  return commitSnapshot(under.catalog, table, snapshot);
};

it('tells which tables went on since, lost files or metadata, and leaves the others alone', async () => {
  for (const name of ['ahead', 'fine', 'lost', 'unread', 'gone']) {
    await newTable(under.catalog, { namespace: ['n'], name });
    await append(name, 1n);
  }
  await under.catalog.dropTable({ namespace: ['n'], name: 'gone' });
  const file = await backedUp();
  await append('ahead', 2n);
  const ahead = await append('ahead', 3n);
  const lost = await under.catalog.loadTable({ namespace: ['n'], name: 'lost' });
  const unread = await under.catalog.loadTable({ namespace: ['n'], name: 'unread' });
  const list = String(lost.metadata.snapshots[0]?.['manifest-list']);
  await under.objects.delete([list, String(unread.metadataLocation)]);
  // A file of another table in the folder is none of its own commits.
  const folder = String(ahead.metadataLocation).replace(/[^/]*$/, '');
  const strange = await under.objects.get(String(lost.metadataLocation));
  await under.objects.put(`${folder}99999-strange.metadata.json`, strange);
  await restore(file);
  expect(await problems()).toMatchObject([
    { name: 'ahead', problem: 'newer', newest: ahead.metadataLocation },
    { name: 'lost', problem: 'missing', message: expect.stringContaining(list) },
    { name: 'unread', problem: 'unreadable', metadataLocation: unread.metadataLocation },
  ]);
});

it('finds a table that was moved since, and the metadata that can be registered instead', async () => {
  const { before, after } = await movedTable(under);
  const file = await backedUp();
  const old = before.metadata.snapshots.map((snapshot) => snapshot['manifest-list']);
  await under.objects.delete(old);
  // The backup as it would have been before the move.
  await restore(file, [
    'DELETE FROM ledger',
    'DELETE FROM fences',
    'DELETE FROM moves',
    'DELETE FROM relocations',
    `UPDATE tables SET metadata_location = '${before.metadataLocation}'`,
  ]);
  const [problem, ...others] = await problems();
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ name: T.name, problem: 'missing', newest: after.metadataLocation });
  const catalog = await openEmbeddedCatalog({
    database: target,
    warehouse: `file://${under.folder}/hot`,
    clock: systemClock,
  });
  const request = { name: T.name, 'metadata-location': problem?.newest, overwrite: true };
  await catalog.extension('POST', '/v1/namespaces/n/register', request);
  expect((await catalog.loadTable(T)).metadata).toEqual(after.metadata);
  await catalog.close();
  expect(await problems()).toEqual([]);
});
