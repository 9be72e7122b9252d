import { truncate } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Schema } from '../../src/iceberg/schema.ts';
import { localPath } from '../../src/storage/location.ts';
import { appendSelect } from '../../src/table/append.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { openTestLake, TABLE } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
};

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
