import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Lake } from '../project/open-lake.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, Table } from '../table/table.ts';
import type { OutputColumn } from './column-types.ts';
import type { Model } from './model.ts';
import { ensureNamespace } from './model-table.ts';
import { RUN_ID, runStart } from './run-id.ts';

/** Where results of Trino wait for their run. */
const NAMESPACE = ['lake_staging'];

/** `layer__model__run`, the run as `newRunId` makes it. */
const STAGING_NAME = new RegExp(`__${RUN_ID}$`);

/** A staging table that nobody has written to for so long, of a run as old, was left behind by a run that was killed. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** An empty, unpartitioned table for the result of one model in one run. */
export async function createStaging(
  context: LakeContext,
  model: Model,
  runId: string,
  columns: readonly OutputColumn[],
): Promise<Table> {
  await ensureNamespace(context, NAMESPACE);
  const fields = columns.map(({ name, type }, i) => ({ id: i + 1, name, required: false, type }));
  const schema: Schema = { type: 'struct', 'schema-id': 0, fields };
  const loaded = await context.catalog.createTable(NAMESPACE, {
    name: `${model.layer}__${model.name}__${runId}`,
    schema,
    properties: { 'lake.layer': 'staging', comment: `result of ${model.id}, dropped when its run ends` },
  });
  return new Table(context, loaded);
}

/**
 * The staging table with the rows that Trino wrote. Errors: `unavailable` where it does not hold just these: nothing of it may be used.
 *
 * @param rows how many Trino says it wrote
 */
export async function loadStaging(
  context: LakeContext,
  identifier: TableIdentifier,
  rows: number,
): Promise<Table> {
  const table = await openTable(context, identifier);
  const { snapshots } = table.metadata;
  const held = snapshots.reduce((sum, { summary }) => sum + Number(summary['added-records'] ?? 0), 0);
  if (
    snapshots.length <= 1 &&
    held === rows &&
    snapshots.every(({ summary }) => summary.operation === 'append')
  )
    return table;
  throw new LakeError(
    'unavailable',
    `Trino says that it wrote ${rows} rows, and ${table.name} holds ${held}`,
    {
      hint: 'Nothing was published. Is another job writing into lake_staging? Run again.',
    },
  );
}

/**
 * Drops a staging table. A catalog elsewhere deletes its files when it has the time; the embedded one would read through the whole lake first, before the run goes on, so that there they
 * are left to `lake orphans --dropped`. That it cannot be dropped changes nothing of the run: a later one does it.
 */
export async function dropStaging(lake: Lake, identifier: TableIdentifier): Promise<void> {
  const purge = lake.config.catalog.kind === 'rest';
  await lake.catalog.dropTable(identifier, { purge }).catch(() => undefined);
}

/**
 * Drops staging tables that killed runs left behind, and says so. A run may last long: what was made or written to of late is in use, however old its run. Only tables of old runs are loaded to know;
 * one that cannot be is left to a later run.
 */
export async function dropAbandonedStaging(lake: Lake, warn?: (message: string) => void): Promise<void> {
  const isOld = (ms: number) => lake.clock.now() - ms >= ABANDONED_AFTER_MS;
  for (const identifier of await staged(lake)) {
    const started = runStart(STAGING_NAME, identifier.name);
    if (started === null || !isOld(started)) continue;
    const changed = await lastChange(lake, identifier);
    if (changed === null || !isOld(changed)) continue;
    warn?.(`${identifier.name}, left behind in lake_staging by a run that did not end, is dropped`);
    await dropStaging(lake, identifier);
  }
}

async function lastChange(lake: Lake, identifier: TableIdentifier): Promise<number | null> {
  try {
    return (await lake.catalog.loadTable(identifier)).metadata['last-updated-ms'];
  } catch (error) {
    if (error instanceof LakeError) return null;
    throw error;
  }
}

async function staged(context: LakeContext): Promise<readonly TableIdentifier[]> {
  try {
    return await context.catalog.listTables(NAMESPACE);
  } catch (error) {
    // Somebody without rights there has left nothing behind either.
    if (isKind(error, 'not-found', 'forbidden')) return [];
    throw error;
  }
}
