import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableName } from '../store/catalog-store.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import type { MetadataFile } from './metadata-files.ts';

/** The table's current metadata file. Errors: `not-found`, `corrupt`. */
export async function currentFile(context: CatalogContext, table: TableName): Promise<MetadataFile> {
  const pointer = await context.store.findTable(table);
  if (pointer === null) throw noSuchTable(table);
  return context.files.readStanding(pointer.metadataLocation);
}

/** A load-table or load-view answer (REST spec: `LoadTableResult`, `LoadViewResult`) as JSON text, the metadata put in as it is stored. */
export function loadResult(file: Pick<MetadataFile, 'location' | 'text'>): string {
  return `{"metadata-location":${JSON.stringify(file.location)},"metadata":${file.text},"config":{}}`;
}

/** The answer to a staged create: there is no metadata file yet. */
export function stagedResult(metadata: TableMetadata): string {
  return `{"metadata":${serializeTableMetadata(metadata)},"config":{}}`;
}

/** The file as `snapshots=refs` asks for it: only snapshots that a branch or tag names. */
export function onlyReferenced(file: MetadataFile): MetadataFile {
  const named = new Set(Object.values(file.metadata.refs).map((ref) => ref['snapshot-id']));
  const snapshots = file.metadata.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id']));
  const metadata = { ...file.metadata, snapshots };
  return { location: file.location, metadata, text: serializeTableMetadata(metadata) };
}
