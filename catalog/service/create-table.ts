import { LakeError } from '../../src/errors.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { SortOrder } from '../../src/iceberg/sort-order.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { joinLocation, namespacePath, tablePath } from '../../src/storage/location.ts';
import type { Levels, TableName, TablePlace } from '../store/catalog-store.ts';
import type { CatalogContext } from './context.ts';
import { requireFreeName } from './free-name.ts';
import type { MetadataFile } from './metadata-files.ts';
import { placeKey, restBelow } from './place.ts';
import { surelyRefused } from './pointer-outcome.ts';

export interface NewTableRequest {
  readonly schema: Schema;
  readonly spec?: PartitionSpec;
  readonly sortOrder?: SortOrder;
  readonly location?: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** A table to be created, and the folders that it is to take. */
export interface StagedTable {
  readonly metadata: TableMetadata;
  readonly places: readonly TablePlace[];
}

/** Metadata of a table to be created, nothing written. Errors: `not-found` (namespace), `already-exists`, `invalid-argument`. */
export async function stageTable(
  context: CatalogContext,
  table: TableName,
  request: NewTableRequest,
): Promise<StagedTable> {
  await requireFreeName(context, table, 'Table');
  const uuid = context.clock.uuid();
  const metadata = newTableMetadata({
    schema: request.schema,
    ...(request.spec === undefined ? {} : { spec: request.spec }),
    ...(request.sortOrder === undefined ? {} : { sortOrder: request.sortOrder }),
    properties: request.properties,
    location: request.location ?? defaultLocation(context.warehouse, table, uuid),
    uuid,
    nowMs: context.clock.now(),
  });
  const places = await context.places.toTake({ kind: 'table', uuid }, null, metadata);
  return { metadata, places };
}

/**
 * A staged table takes no folder yet, and its creator gets credentials for it: the folder of a namespace, where tables of others will be born, is
 * refused. Errors: `invalid-argument`.
 */
export async function refuseNamespaceFolder(context: CatalogContext, location: string): Promise<void> {
  const { warehouse, tiers, store } = context;
  for (const root of [warehouse, ...tiers.map((tier) => tier.location)]) {
    const rest = restBelow(root, location.replace(/\/+$/, ''));
    if (rest === null || rest === '') continue;
    let found: readonly Levels[] = [[]];
    for (const name of rest.split('/')) {
      const pages = await Promise.all(found.map((levels) => store.listNamespaces(levels, {})));
      const children = pages.flatMap(({ rows }) => rows);
      found = children.filter((levels) => placeKey(namespacePath(levels.slice(-1))) === placeKey(name));
    }
    if (found.length === 0) continue;
    throw new LakeError(
      'invalid-argument',
      `${location} is the folder of a namespace, where its tables lie`,
      {
        where: location,
        hint: 'Nothing was changed: choose another location, or none (the catalog then makes one).',
      },
    );
  }
}

/** Creates the table: its metadata file, then the pointer. */
export async function createTable(
  context: CatalogContext,
  table: TableName,
  request: NewTableRequest,
): Promise<MetadataFile> {
  const { metadata, places } = await stageTable(context, table, request);
  const file = await context.files.write(metadata, null);
  const pointer = {
    ...table,
    uuid: metadata['table-uuid'],
    expected: null,
    metadataLocation: file.location,
    places,
  };
  try {
    await context.store.changePointers([pointer]);
  } catch (error) {
    if (surelyRefused(error)) await context.files.discard([file]);
    throw error;
  }
  return file;
}

/** `<warehouse>/<namespace levels>/<table>-<uuid>`; the uuid keeps names apart that look alike once made safe for paths. */
export function defaultLocation(warehouse: string, table: TableName, uuid: string): string {
  return joinLocation(warehouse, tablePath(table, uuid));
}

/** `<warehouse>/<namespace levels>`: what a namespace's `location` is if nobody set another. */
export function namespaceLocation(warehouse: string, levels: Levels): string {
  return joinLocation(warehouse, namespacePath(levels));
}
