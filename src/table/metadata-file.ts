import { gunzipSync } from 'node:zlib';
import { isKind, LakeError } from '../errors.ts';
import { parseTableMetadata } from '../iceberg/metadata-json.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/**
 * Reads a table's metadata file without the catalog, packed by gzip or not.
 *
 * @throws LakeError `not-found`, `corrupt` or `unsupported` (with the location), those of the store
 */
export async function readMetadataFile(objects: ObjectStore, location: string): Promise<TableMetadata> {
  const bytes = await objects.get(location);
  try {
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const plain = isPacked ? gunzipSync(bytes) : bytes;
    return parseTableMetadata(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  } catch (cause) {
    const kind = isKind(cause, 'unsupported') ? 'unsupported' : 'corrupt';
    throw new LakeError(kind, `the metadata file ${location} cannot be read`, {
      where: location,
      hint: 'bring the file back from a backup',
      cause,
    });
  }
}
