import { isDeepStrictEqual } from 'node:util';
import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import { fieldsById, type Schema } from '../iceberg/schema.ts';
import { type EvolvedSchema, evolveSchema, type SchemaChange } from '../iceberg/schema-evolution.ts';
import { buildSortOrder, type SortFieldRequest, type SortOrder } from '../iceberg/sort-order.ts';
import { evolveSpec, type SpecChange } from '../iceberg/spec-evolution.ts';
import {
  currentSchema,
  defaultSortOrder,
  defaultSpec,
  type TableMetadata,
} from '../iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../iceberg/updates.ts';
import { type CommitOptions, type CommitResult, commitWithRetry, type Staged } from './commit.ts';
import type { LakeContext } from './context.ts';
import type { Table } from './table.ts';

/** Changes of a table's metadata; all or none are made, in one commit. */
export interface Alteration {
  /** One after the other. */
  readonly columns?: readonly SchemaChange[];
  readonly setProperties?: Readonly<Record<string, string>>;
  readonly removeProperties?: readonly string[];
  readonly partitioning?: SpecChange;
  /** None: unsorted. New files are written in this order; those that are there stay as they are. */
  readonly sortBy?: readonly SortFieldRequest[];
  readonly formatVersion?: number;
}

/** The highest format version that this version writes data to. */
const WRITABLE_VERSION = 2;

/**
 * Alters a table's schema, partitioning, sort order, properties and format version in one commit. No file is written or rewritten; no snapshot is
 * made. An alteration that changes nothing commits nothing.
 * Errors: `not-found` with the nearest name; `invalid-argument` for what the spec does not allow; as `commitWithRetry`.
 */
export async function alterTable(
  context: LakeContext,
  identifier: TableIdentifier,
  alteration: Alteration,
  options: CommitOptions = {},
): Promise<CommitResult> {
  return commitWithRetry(context, identifier, async (table) => stageAlteration(table, alteration), options);
}

function stageAlteration(table: Table, alteration: Alteration): Staged | null {
  const { metadata } = table;
  const evolved = evolvedSchema(metadata, alteration);
  const schema = evolved?.schema ?? currentSchema(metadata);
  const spec = alteration.partitioning && evolveSpec(metadata, schema, alteration.partitioning);
  const sort = alteration.sortBy && buildSortOrder(schema, alteration.sortBy);
  if (evolved) refuseUsedColumns(schema, spec ?? defaultSpec(metadata), sort ?? defaultSortOrder(metadata));
  const updates: TableUpdate[] = [
    ...formatUpdates(alteration),
    ...(evolved ? schemaUpdates(evolved) : []),
    ...(spec ? specUpdates(spec) : []),
    ...(sort ? sortUpdates(sort) : []),
    ...propertyUpdates(table, alteration),
  ];
  const isDone = (current: TableMetadata): boolean =>
    applyUpdates(current, updates, { nowMs: current['last-updated-ms'] }) === current;
  if (isDone(metadata)) return null;
  return {
    requirements: requirementsOf(metadata, { evolved, spec, sort }),
    updates,
    applied: (current) => appliesCleanly(() => isDone(current)),
  };
}

/** A table that others altered since may not take the updates at all: then they are not all in it. */
function appliesCleanly(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof LakeError) return false;
    throw error;
  }
}

function evolvedSchema(metadata: TableMetadata, { columns = [] }: Alteration): EvolvedSchema | undefined {
  if (columns.length === 0) return undefined;
  const before = currentSchema(metadata);
  const evolved = evolveSchema(before, metadata['last-column-id'], columns);
  return isDeepStrictEqual(evolved.schema, before) ? undefined : evolved;
}

const schemaUpdates = ({ schema, lastColumnId }: EvolvedSchema): TableUpdate[] => [
  { action: 'add-schema', schema, 'last-column-id': lastColumnId },
  { action: 'set-current-schema', 'schema-id': -1 },
];

const specUpdates = (spec: PartitionSpec): TableUpdate[] => [
  { action: 'add-spec', spec },
  { action: 'set-default-spec', 'spec-id': -1 },
];

const sortUpdates = (order: SortOrder): TableUpdate[] => [
  { action: 'add-sort-order', 'sort-order': order },
  { action: 'set-default-sort-order', 'sort-order-id': -1 },
];

function formatUpdates({ formatVersion }: Alteration): TableUpdate[] {
  if (formatVersion === undefined) return [];
  if (formatVersion > WRITABLE_VERSION) {
    throw new LakeError('unsupported', `This version does not write to tables of format v${formatVersion}`, {
      hint: 'Nothing was changed: an upgrade cannot be taken back, and the table would be read-only here.',
    });
  }
  return [{ action: 'upgrade-format-version', 'format-version': formatVersion }];
}

function propertyUpdates(
  table: Table,
  { setProperties = {}, removeProperties = [] }: Alteration,
): TableUpdate[] {
  const names = Object.keys(table.metadata.properties);
  for (const name of removeProperties) {
    if (names.includes(name)) continue;
    const near = nearestName(name, names);
    throw new LakeError('not-found', `${table.name} has no property "${name}"`, {
      hint: near === null ? `It has ${names.join(', ') || 'none'}.` : `Did you mean ${near}?`,
    });
  }
  return [
    ...(Object.keys(setProperties).length > 0
      ? [{ action: 'set-properties', updates: setProperties } as const]
      : []),
    ...(removeProperties.length > 0
      ? [{ action: 'remove-properties', removals: removeProperties } as const]
      : []),
  ];
}

/** New files could not be partitioned or sorted by a column that is gone. */
function refuseUsedColumns(schema: Schema, spec: PartitionSpec, sort: SortOrder): void {
  const known = fieldsById(schema);
  const used = [
    ...spec.fields
      .filter((field) => field.transform !== 'void')
      .map((field) => ({ id: field['source-id'], what: `the partition field "${field.name}"` })),
    ...sort.fields.map((field) => ({ id: field['source-id'], what: 'the sort order' })),
  ];
  const lost = used.find(({ id }) => !known.has(id));
  if (!lost) return;
  throw new LakeError('invalid-argument', `A column that is to be dropped is used by ${lost.what}`, {
    hint: 'Drop the partition field or change the sort order too (in the same command, if you like). Nothing was changed.',
  });
}

function requirementsOf(
  metadata: TableMetadata,
  changes: { readonly evolved?: unknown; readonly spec?: unknown; readonly sort?: unknown },
): TableRequirement[] {
  const requirements: TableRequirement[] = [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }];
  if (changes.evolved || changes.spec || changes.sort) {
    requirements.push(
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
      { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
      {
        type: 'assert-last-assigned-partition-id',
        'last-assigned-partition-id': metadata['last-partition-id'],
      },
      { type: 'assert-default-sort-order-id', 'default-sort-order-id': metadata['default-sort-order-id'] },
    );
  }
  return requirements;
}
