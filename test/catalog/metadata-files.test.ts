import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetadataCache } from '../../catalog/service/metadata-cache.ts';
import { MetadataFiles, TABLE_CODEC } from '../../catalog/service/metadata-files.ts';
import { StandingFiles } from '../../catalog/service/standing-files.ts';
import { systemClock } from '../../src/clock.ts';
import { encodeTableMetadata } from '../../src/iceberg/metadata-bytes.ts';
import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../../src/iceberg/updates.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { SCHEMA } from './lake.ts';

function tableWith(properties: Record<string, string> = {}): TableMetadata {
  return newTableMetadata({
    schema: SCHEMA,
    properties,
    location: 'memory://lake/t',
    uuid: systemClock.uuid(),
    nowMs: 1,
  });
}

function append(base: TableMetadata, id: bigint): readonly TableUpdate[] {
  const parent = base['current-snapshot-id'];
  const snapshot = {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': base['last-sequence-number'] + 1,
    'timestamp-ms': base['last-updated-ms'] + 1,
    'manifest-list': `memory://lake/t/metadata/é-${id}.avro`,
    summary: { operation: 'append' as const },
  };
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
  ];
}

it('encodes a table anew after each change as if it had never been encoded', () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('append'), count: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant('expire'), count: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('property'), count: fc.nat() }),
    // The result is thrown away, as that of a commit that lost.
    fc.record({ kind: fc.constant('lost append'), count: fc.constant(1) }),
  );
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
      let table = tableWith();
      let id = 1n;
      for (const [at, { kind, count }] of changes.entries()) {
        const context = { nowMs: 10 + at, previousMetadataLocation: `memory://lake/t/metadata/${at}.json` };
        const before = table;
        if (kind === 'property') {
          table = applyUpdates(table, [{ action: 'set-properties', updates: { at: `${count}` } }], context);
        } else if (kind === 'expire') {
          const ids = table.snapshots.slice(0, Math.min(count, table.snapshots.length - 1));
          const gone = ids.map((one) => one['snapshot-id']);
          if (gone.length > 0)
            table = applyUpdates(table, [{ action: 'remove-snapshots', 'snapshot-ids': gone }], context);
        } else for (let n = 0; n < count; n++) table = applyUpdates(table, append(table, id++), context);
        expect(encodeTableMetadata(table).toString()).toBe(serializeTableMetadata(table));
        if (kind === 'lost append') table = before;
      }
    }),
    { numRuns: 60 },
  );
});

describe('metadata files', () => {
  it('are gzipped and named as Java does it where the table says so, and read either way', async () => {
    const objects = new MemoryStore();
    const files = new MetadataFiles(objects, systemClock, TABLE_CODEC);
    const metadata = tableWith({ 'write.metadata.compression-codec': 'GZIP' });
    const first = await files.write(metadata, null);
    expect(first.location).toMatch(/\/metadata\/00000-[\w-]+\.gz\.metadata\.json$/);
    expect(gunzipSync(await objects.get(first.location)).toString()).toBe(serializeTableMetadata(metadata));
    const plain = await files.write({ ...metadata, properties: {} }, first.location);
    expect(plain.location).toMatch(/\/metadata\/00001-[0-9a-f-]+\.metadata\.json$/);
    // Another server has not written them.
    const others = new MetadataFiles(objects, systemClock, TABLE_CODEC);
    expect((await others.read(first.location)).metadata).toEqual(metadata);
    expect((await others.read(plain.location)).metadata.properties).toEqual({});
  });

  it('are kept in memory up to a number of bytes, those asked for last', () => {
    const file = (location: string, bytes: number) => ({ location, json: new Uint8Array(bytes) });
    const cache = new MetadataCache(100);
    for (const name of ['a', 'b', 'c']) cache.keep(file(name, 30));
    expect(cache.get('a')).toBeDefined();
    cache.keep(file('d', 30));
    expect(['a', 'b', 'c', 'd'].filter((name) => cache.get(name) !== undefined)).toEqual(['a', 'c', 'd']);
    cache.keep(file('huge', 1000));
    expect(['a', 'c', 'd', 'huge'].filter((name) => cache.get(name) !== undefined)).toEqual(['huge']);
    cache.forget('huge');
    for (const name of ['a', 'b', 'c']) cache.keep(file(name, 30));
    expect(cache.get('a')).toBeDefined();
  });

  it('are looked for at every load up to a few a second, and after a failed look at once', async () => {
    let [nowMs, looks] = [0, 0];
    let answer: () => Promise<boolean> = async () => true;
    const exists = () => {
      looks++;
      return answer();
    };
    const standing = new StandingFiles({ exists }, { now: () => nowMs });
    for (let at = 0; at < 100; at++) expect(await standing.stands('a')).toBe(true);
    expect(looks).toBe(8);
    answer = async () => false;
    expect(await standing.stands('a')).toBe(true);
    nowMs += 1000;
    expect(await standing.stands('a')).toBe(false);
    answer = () => Promise.reject(new Error('the store is away'));
    await expect(standing.stands('b')).rejects.toThrow('away');
    answer = async () => true;
    expect(await standing.stands('b')).toBe(true);
  });
});
