import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { listDropped, undrop } from '../catalog-client/dropped-table.ts';
import { isKind } from '../errors.ts';
import { buildPartitionSpec, type PartitionFieldRequest, UNPARTITIONED } from '../iceberg/partition-spec.ts';
import { assignFreshIds, type Schema } from '../iceberg/schema.ts';
import type { LakeContext } from '../table/context.ts';
import { tableName } from '../table/table.ts';
import { columnsOf, type EvolutionRequest } from './evolution.ts';

/**
 * Makes a table with the columns of files (see `columnsOf`), and its namespace where that is missing too.
 *
 * @returns its schema and uuid; null if the table was there, or somebody made it meanwhile: it is left as it is
 * @throws LakeError those of `columnsOf`, `invalid-argument` for a partitioning that does not fit the columns
 */
export async function createTableOf(
  { catalog }: LakeContext,
  identifier: TableIdentifier,
  request: EvolutionRequest & { readonly partitionBy: readonly PartitionFieldRequest[] },
): Promise<{ readonly schema: Schema; readonly uuid: string } | null> {
  if (await catalog.tableExists(identifier)) return null;
  const fields = await columnsOf(request);
  const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
  const spec =
    request.partitionBy.length === 0 ? UNPARTITIONED : buildPartitionSpec(schema, request.partitionBy);
  const { namespace, name } = identifier;
  if (!(await catalog.namespaceExists(namespace))) {
    await catalog.createNamespace(namespace).catch((error: unknown) => {
      if (!isKind(error, 'already-exists')) throw error;
    });
  }
  try {
    const made = await catalog.createTable(namespace, { name, schema, 'partition-spec': spec });
    return { schema, uuid: made.metadata['table-uuid'] };
  } catch (error) {
    if (isKind(error, 'already-exists')) return null;
    throw error;
  }
}

/**
 * Takes a table away again into which nothing came; one with a snapshot, and another one of its name, stays. It is dropped, not purged: `undrop` finds it. A catalog drops
 * without a condition: what came in just before the drop is looked for after it, and the table is brought back then. Where the catalog cannot do that, the table stays.
 *
 * @param uuid of the table that was made
 */
export async function dropIfEmpty(
  { catalog }: LakeContext,
  identifier: TableIdentifier,
  uuid: string,
): Promise<void> {
  const before = new Set((await listDropped(catalog)).map(({ id }) => id));
  const { metadata, metadataLocation } = await catalog.loadTable(identifier);
  if (metadata['table-uuid'] !== uuid || metadata.snapshots.length > 0) return;
  await catalog.dropTable(identifier);
  const name = tableName(identifier);
  for (const dropped of await listDropped(catalog)) {
    const isOurs = dropped['table-uuid'] === uuid && dropped['metadata-location'] === metadataLocation;
    if (isOurs || before.has(dropped.id) || dropped.state !== 'dropped') continue;
    if (tableName({ namespace: dropped.namespace, name: dropped.table }) !== name) continue;
    await undrop(catalog, dropped.id);
  }
}
