import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { ListedOther } from '../catalog-client/listed-table.ts';
import { isKind } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readMetadataFile } from '../table/metadata-file.ts';

/**
 * A dropped table as it would come back, read from its files; null where its metadata file is gone, so that it cannot.
 * Errors: `corrupt`, `unsupported`, those of the store.
 */
export async function readDropped(
  objects: ObjectStore,
  { namespace, name, 'metadata-location': metadataLocation }: ListedOther,
): Promise<LoadedTable | null> {
  try {
    const metadata = await readMetadataFile(objects, metadataLocation);
    return { identifier: { namespace, name }, metadata, metadataLocation, config: {} };
  } catch (error) {
    if (isKind(error, 'not-found')) return null;
    throw error;
  }
}
