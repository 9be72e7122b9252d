import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableName } from '../store/catalog-store.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import type { MetadataFile } from './metadata-files.ts';

/** How the reader gets at the table's files (REST spec: `config`, `storage-credentials`). */
export interface FileAccess {
  readonly config: Readonly<Record<string, string>>;
  readonly storageCredentials: readonly {
    readonly prefix: string;
    readonly config: Readonly<Record<string, string>>;
  }[];
}

const AFTER = Buffer.from(tailOf(null));
const shortened = new WeakMap<MetadataFile, MetadataFile>();

/** The table's current metadata file. Errors: `not-found`, `corrupt`. */
export async function currentFile(context: CatalogContext, table: TableName): Promise<MetadataFile> {
  const pointer = await context.store.findTable(table);
  if (pointer === null) throw noSuchTable(table);
  return context.files.readStanding(pointer.metadataLocation);
}

/** A load-table or load-view answer (REST spec: `LoadTableResult`, `LoadViewResult`) as JSON, the metadata put in as it is stored. */
export function loadResult(
  { location, json }: Pick<MetadataFile, 'location' | 'json'>,
  access: FileAccess | null = null,
): Buffer {
  const before = Buffer.from(`{"metadata-location":${JSON.stringify(location)},"metadata":`);
  return Buffer.concat([before, json, access === null ? AFTER : Buffer.from(tailOf(access))]);
}

function tailOf(access: FileAccess | null): string {
  const { config = {}, storageCredentials = [] } = access ?? {};
  const credentials =
    storageCredentials.length === 0 ? '' : `,"storage-credentials":${JSON.stringify(storageCredentials)}`;
  return `,"config":${JSON.stringify(config)}${credentials}}`;
}

/** The answer to a staged create: there is no metadata file yet. */
export function stagedResult(metadata: TableMetadata, access: FileAccess | null = null): string {
  return `{"metadata":${serializeTableMetadata(metadata)}${tailOf(access)}`;
}

/** The file as `snapshots=refs` asks for it: only snapshots that a branch or tag names. Made once for each file. */
export function onlyReferenced(file: MetadataFile): MetadataFile {
  const known = shortened.get(file);
  if (known !== undefined) return known;
  const named = new Set(Object.values(file.metadata.refs).map((ref) => ref['snapshot-id']));
  const snapshots = file.metadata.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id']));
  const metadata = { ...file.metadata, snapshots };
  const short = { location: file.location, metadata, json: Buffer.from(serializeTableMetadata(metadata)) };
  shortened.set(file, short);
  return short;
}
