import { truncate } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Schema } from '../../src/iceberg/schema.ts';
import { localPath } from '../../src/storage/location.ts';
import { appendSelect } from '../../src/table/append.ts';
import { readManifestContent, snapshotManifests } from '../../src/table/manifests.ts';
import { openTestLake, TABLE } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
};

it.each([
  ['hides its files', { addedFilesCount: 0 }, '1 added files, its manifest list says 0'],
  ['tells of more', { addedFilesCount: 2 }, '1 added files, its manifest list says 2'],
  ['tells of others', { existingFilesCount: 1 }, '0 existing files, its manifest list says 1'],
  ['tells of deleted ones', { deletedFilesCount: 7 }, '0 deleted files, its manifest list says 7'],
])('refuses a manifest whose list %s', async (_, wrong, message) => {
  const lake = await openTestLake(SCHEMA);
  try {
    await appendSelect(lake.context, lake.engine, TABLE, { sql: 'SELECT 1::BIGINT AS id' });
    const { objects } = lake.context;
    const [manifest] = await snapshotManifests(objects, lake.catalog.metadata.snapshots[0]!);
    await expect(readManifestContent(objects, { ...manifest!, ...wrong })).rejects.toMatchObject({
      kind: 'corrupt',
      where: manifest!.manifestPath,
      message: expect.stringContaining(message),
    });
    // Lists of format v1 may leave them out.
    const { entries } = await readManifestContent(objects, { ...manifest!, addedFilesCount: -1 });
    expect(entries).toHaveLength(1);
  } finally {
    await lake.close();
  }
});

it('refuses a manifest cut at any byte, also between two Avro blocks, instead of reading fewer rows', async () => {
  const lake = await openTestLake(SCHEMA);
  try {
    await appendSelect(lake.context, lake.engine, TABLE, { sql: 'SELECT 1::BIGINT AS id' });
    const [manifest] = await snapshotManifests(lake.context.objects, lake.catalog.metadata.snapshots[0]!);
    const path = localPath(manifest!.manifestPath);
    for (let length = manifest!.manifestLength - 1; length >= 0; length -= 13) {
      await truncate(path, length);
      await expect(lake.rows(), `${length} bytes`).rejects.toMatchObject({
        kind: 'corrupt',
        where: manifest!.manifestPath,
      });
    }
  } finally {
    await lake.close();
  }
});
