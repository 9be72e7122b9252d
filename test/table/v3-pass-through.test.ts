import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates } from '../../src/iceberg/updates.ts';
import { alterTable } from '../../src/table/alter.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { fastForward } from '../../src/table/fast-forward.ts';
import { rollback } from '../../src/table/rollback.ts';
import { createRef, removeRef } from '../../src/table/tag.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

type Json = Record<string, unknown>;

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'iceberg-java', 'v3_vectors', 'metadata');
const GOLDEN = '00007-6c6a2d26-e0e3-4607-b85c-41ce079ba14a.metadata.json';

/** Keys and values of a later version of the format. */
const extra = fc.dictionary(
  fc.constantFrom('x-later', 'row-policy', '__proto__x', 'first-seen'),
  fc.oneof(
    fc.string(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 62n }),
    fc.constant({ nested: [1, { deep: true }] }),
    fc.constant(-0),
  ),
  { maxKeys: 3 },
);
const extras = fc.record({
  top: extra,
  snapshot: extra,
  schema: extra,
  field: extra,
  spec: extra,
  ref: extra,
  key: extra,
});
type Extras = typeof extras extends fc.Arbitrary<infer E> ? E : never;

const each = (list: unknown, more: object): unknown =>
  (list as object[]).map((item) => ({ ...item, ...more }));

function withExtras(text: string, more: Extras): Json {
  const json = parseJson(text) as Json;
  const schemas = (json['schemas'] as Json[]).map((schema) => ({
    ...schema,
    ...more.schema,
    fields: each(schema['fields'], { ...more.field, 'initial-default': null, 'write-default': -0 }),
  }));
  const refs = Object.entries(json['refs'] as Json).map(([name, ref]) => [
    name,
    { ...(ref as object), ...more.ref },
  ]);
  return {
    ...json,
    ...more.top,
    schemas,
    snapshots: each(json['snapshots'], { ...more.snapshot, 'key-id': 'k1' }),
    'partition-specs': each(json['partition-specs'], more.spec),
    refs: Object.fromEntries(refs),
    'encryption-keys': [
      { 'key-id': 'k1', 'encrypted-key-metadata': 'AAAA', 'encrypted-by-id': 'kms', ...more.key },
    ],
  };
}

/** What a metadata-only commit may change. */
const CHANGES = [
  'properties',
  'refs',
  'snapshots',
  'snapshot-log',
  'metadata-log',
  'last-updated-ms',
  'current-snapshot-id',
  'statistics',
  'partition-statistics',
];

const without = (json: Json, keys: readonly string[]): Json =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !keys.includes(key)));

async function withLake(metadata: TableMetadata, use: (lake: TestLake) => Promise<void>): Promise<void> {
  const lake = await openTestLake({ type: 'struct', 'schema-id': 0, fields: [] });
  try {
    lake.catalog.metadata = metadata;
    await use(lake);
  } finally {
    await lake.close();
  }
}

it('keeps every field of v3 and of later versions through commits that change metadata alone', async () => {
  const text = await readFile(join(FOLDER, GOLDEN), 'utf8');
  await fc.assert(
    fc.asyncProperty(extras, async (more) => {
      const before = withExtras(text, more);
      await withLake(parseTableMetadata(stringifyJson(before)), async (lake) => {
        const { context, catalog } = lake;
        const main = catalog.metadata['current-snapshot-id']!;
        await alterTable(context, TABLE, { setProperties: { a: '1', b: '2' } });
        await alterTable(context, TABLE, { removeProperties: ['a'] });
        await createRef(context, TABLE, { name: 'kept' });
        await createRef(context, TABLE, { name: 'side', type: 'branch' });
        await removeRef(context, TABLE, 'kept');
        const parent = catalog.metadata.snapshots.find((one) => one['snapshot-id'] === main)![
          'parent-snapshot-id'
        ]!;
        await rollback(context, TABLE, { to: String(parent) });
        await fastForward(context, TABLE, { to: 'side', dropSource: true });
        const oldest = catalog.metadata.snapshots[0]!['snapshot-id'];
        catalog.metadata = applyUpdates(
          catalog.metadata,
          [{ action: 'remove-snapshots', 'snapshot-ids': [oldest] }],
          { nowMs: catalog.metadata['last-updated-ms'] },
        );
        const after = parseJson(serializeTableMetadata(catalog.metadata)) as Json;
        expect(without(after, CHANGES)).toEqual(without(before, CHANGES));
        const kept = (before['snapshots'] as Json[]).filter((one) => one['snapshot-id'] !== oldest);
        expect(after['snapshots']).toEqual(kept);
        const refs = Object.entries(before['refs'] as Json).filter(
          ([, ref]) => (ref as Json)['snapshot-id'] !== oldest,
        );
        expect(after['refs']).toEqual(Object.fromEntries(refs));
        expect(after['properties']).toEqual({ ...(before['properties'] as Json), b: '2' });
      });
    }),
    { numRuns: 15 },
  );
});

it('refuses to write data to a v3 table, before anything is written', async () => {
  const text = await readFile(join(FOLDER, GOLDEN), 'utf8');
  await withLake(parseTableMetadata(text), async (lake) => {
    const { context, engine } = lake;
    const unsupported = { kind: 'unsupported', message: expect.stringContaining('format v3') };
    const sql = 'SELECT 1 AS id';
    await expect(appendSelect(context, engine, TABLE, { sql })).rejects.toMatchObject(unsupported);
    await expect(upsertSelect(context, engine, TABLE, { sql, keys: ['id'] })).rejects.toMatchObject(
      unsupported,
    );
    await expect(deleteWhere(context, engine, TABLE, { where: 'id = 1' })).rejects.toMatchObject(unsupported);
  });
});
