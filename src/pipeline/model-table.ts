import type { DuckDbEngine } from '../engine/duckdb.ts';
import { isKind, LakeError } from '../errors.ts';
import { buildPartitionSpec, type PartitionSpec, UNPARTITIONED } from '../iceberg/partition-spec.ts';
import { assignFreshIds, findField, type Schema } from '../iceberg/schema.ts';
import { canPromote, evolveSchema, type SchemaChange } from '../iceberg/schema-evolution.ts';
import { buildSortOrder } from '../iceberg/sort-order.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, parseTableName, Table } from '../table/table.ts';
import { icebergTypeOf, type OutputColumn } from './column-types.ts';
import type { Model } from './model.ts';
import { partitionRequests, sortRequests } from './partition-by.ts';

/** The columns that a query gives, with the Iceberg types that store them. */
export async function outputColumns(
  engine: DuckDbEngine,
  sql: string,
  where: string,
): Promise<OutputColumn[]> {
  const columns = await engine.describe(sql);
  return columns.map(({ name, type }) => ({ name, type: icebergTypeOf(name, type, where) }));
}

/** The model's table, or null before its first run. */
export async function findModelTable(context: LakeContext, model: Model): Promise<Table | null> {
  try {
    return await openTable(context, parseTableName(model.id));
  } catch (error) {
    if (isKind(error, 'not-found')) return null;
    throw error;
  }
}

/**
 * The model's table with every column that its SQL gives: made where it is missing, widened and given new
 * (optional) columns where the SQL has changed.
 *
 * @throws LakeError `invalid-argument` where a column is gone or its new type cannot hold the old values,
 *   `unsupported` where the model is partitioned otherwise than its table
 */
export async function ensureModelTable(
  context: LakeContext,
  model: Model,
  columns: readonly OutputColumn[],
): Promise<Table> {
  const table = (await findModelTable(context, model)) ?? (await createModelTable(context, model, columns));
  checkPartitioning(model, table);
  const changes = schemaChanges(model, currentSchema(table.metadata), columns);
  if (changes.length === 0) return table;
  return commitSchema(context, table, changes);
}

function checkPartitioning(model: Model, table: Table): void {
  const { metadata } = table;
  const shape = (spec: PartitionSpec) => spec.fields.map((f) => `${f['source-id']} ${f.transform}`).join();
  const requests = partitionRequests(model.file.partition_by, model.sqlFile);
  const wanted =
    requests.length === 0 ? UNPARTITIONED : buildPartitionSpec(currentSchema(metadata), requests);
  if (shape(wanted) === shape(defaultSpec(metadata))) return;
  throw new LakeError(
    'unsupported',
    `${model.id}: the table is partitioned otherwise than partition_by says`,
    {
      where: model.sqlFile.replace(/\.sql$/, '.yml'),
      hint: 'put the old partition_by back, or drop the table and run again',
    },
  );
}

async function createModelTable(
  context: LakeContext,
  model: Model,
  columns: readonly OutputColumn[],
): Promise<Table> {
  const identifier = parseTableName(model.id);
  const fields = columns.map(({ name, type }, i) => {
    const doc = model.file.columns?.find((column) => column.name === name)?.description;
    return { id: i + 1, name, required: false, type, ...(doc === undefined ? {} : { doc }) };
  });
  const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
  const requests = partitionRequests(model.file.partition_by, model.sqlFile);
  const sort = buildSortOrder(schema, sortRequests(model.file.sort_by));
  await ensureNamespace(context, identifier.namespace);
  try {
    const loaded = await context.catalog.createTable(identifier.namespace, {
      name: identifier.name,
      schema,
      'partition-spec': requests.length === 0 ? UNPARTITIONED : buildPartitionSpec(schema, requests),
      'write-order': sort,
      properties: tableProperties(model),
    });
    return new Table(context, loaded);
  } catch (error) {
    // Another run made it in between: theirs is as good.
    if (isKind(error, 'already-exists')) return openTable(context, identifier);
    throw error;
  }
}

/** Tags become table properties `lake.tag.<key>`, the layer `lake.layer`: policies match on both. */
function tableProperties(model: Model): Record<string, string> {
  const tags = Object.entries(model.file.tags ?? {}).map(([key, value]) => [`lake.tag.${key}`, value]);
  const comment = model.file.description === undefined ? {} : { comment: model.file.description };
  return { 'lake.layer': model.layer, ...comment, ...Object.fromEntries(tags) };
}

/** Makes a namespace that is not there yet. */
export async function ensureNamespace(context: LakeContext, namespace: readonly string[]): Promise<void> {
  if (await context.catalog.namespaceExists(namespace)) return;
  try {
    await context.catalog.createNamespace(namespace);
  } catch (error) {
    if (!isKind(error, 'already-exists')) throw error;
  }
}

function schemaChanges(model: Model, schema: Schema, columns: readonly OutputColumn[]): SchemaChange[] {
  const changes: SchemaChange[] = [];
  for (const { name, type } of columns) {
    const field = findField(schema, name);
    if (field === null) changes.push({ action: 'add-column', name, type });
    else if (field.type !== type && !holds(field.type, type)) {
      if (!canPromote(field.type, type)) {
        throw new LakeError(
          'invalid-argument',
          `${model.id}: the column "${name}" is ${JSON.stringify(field.type)} in the table and ${type} in the SQL`,
          { where: model.sqlFile, hint: `cast it to the table's type, or give the new column another name` },
        );
      }
      changes.push({ action: 'widen-column', column: name, type });
    }
  }
  const gone = schema.fields.find((field) => !columns.some((column) => column.name === field.name));
  if (gone !== undefined) {
    throw new LakeError(
      'invalid-argument',
      `${model.id}: the SQL no longer gives the column "${gone.name}"`,
      {
        where: model.sqlFile,
        hint: `keep it, for example as CAST(NULL AS VARCHAR) AS ${gone.name}`,
      },
    );
  }
  return changes;
}

/** The table's type is wider than what comes: values fit without a change. */
function holds(tableType: Schema['fields'][number]['type'], type: string): boolean {
  return canPromote(type, tableType);
}

async function commitSchema(
  context: LakeContext,
  table: Table,
  changes: readonly SchemaChange[],
): Promise<Table> {
  const { metadata } = table;
  const evolved = evolveSchema(currentSchema(metadata), metadata['last-column-id'], changes);
  const loaded = await context.catalog.commitTable({
    identifier: table.identifier,
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    ],
    updates: [
      { action: 'add-schema', schema: evolved.schema, 'last-column-id': evolved.lastColumnId },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
  });
  return new Table(context, loaded);
}
