import { writeManifestList } from '../../src/iceberg/manifest-list.ts';
import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { Dice } from './dice.ts';
import type { Places } from './places.ts';

const encoder = new TextEncoder();

/** Files that an attacker, or somebody careless, would register: metadata in and out of the allowed places, naming such places. */
export async function seedFiles(
  objects: ObjectStore,
  dice: Dice,
  { root, allowed }: Places,
): Promise<string[]> {
  const written: string[] = [];
  const hot = allowed[0]!;
  const evil = `file://${root}/evil`;
  const put = async (location: string, text: string | Uint8Array): Promise<void> => {
    await objects.put(location, typeof text === 'string' ? encoder.encode(text) : text);
    written.push(location);
  };
  const metadata = (location: string, properties: Record<string, string> = {}): TableMetadata =>
    newTableMetadata({
      uuid: dice.uuid(),
      location,
      nowMs: Date.UTC(2026, 0),
      schema: {
        type: 'struct',
        'schema-id': 0,
        fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
      },
      properties,
    });
  for (let at = 0; at < 12; at++) {
    const inside = `${hot}/reg-${at}`;
    await put(`${inside}/metadata/v1.metadata.json`, serializeTableMetadata(metadata(inside)));
  }
  await put(`${evil}/metadata/v1.metadata.json`, serializeTableMetadata(metadata(evil)));
  await put(`${evil}/metadata/v2.metadata.json`, serializeTableMetadata(metadata(`${hot}/reg-evil`)));
  const bad: readonly (readonly [string, Record<string, string>])[] = [
    [evil, {}],
    [`${hot}/../evil`, {}],
    [`${hot}/%2e%2e/evil`, {}],
    [hot, {}],
    [`${hot}/bad-path`, { 'write.data.path': evil }],
    [`${hot}/bad-path`, { 'write.metadata.path': `${hot}/x/../../../evil` }],
    [`${hot}/bad-path`, { 'write.object-storage.path': `${evil}/o` }],
  ];
  for (const [at, [location, properties]] of bad.entries()) {
    await put(
      `${hot}/bad-${at}/metadata/v1.metadata.json`,
      serializeTableMetadata(metadata(location, properties)),
    );
  }
  await put(`${hot}/no-metadata/v1.metadata.json`, '{"format-version":2}');
  await put(`${hot}/no-metadata/v2.metadata.json`, 'no json at all');
  await put(`${hot}/no-metadata/v3.metadata.json`, Uint8Array.from([0x1f, 0x8b, 1, 2, 3]));
  const list = { snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1, formatVersion: 2 } as const;
  await put(`${hot}/reg-0/metadata/snap-1.avro`, writeManifestList(list, []));
  await put(`${evil}/metadata/snap-1.avro`, writeManifestList(list, []));
  return written;
}
