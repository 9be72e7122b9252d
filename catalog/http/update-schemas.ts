import * as z from 'zod';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { TableRequirement } from '../../src/iceberg/requirements.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { SortOrder } from '../../src/iceberg/sort-order.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import { identifierSchema, propertiesSchema } from './request.ts';

const int = z.number().int();
const snapshotId = z.bigint();

/** Structures whose inside the Iceberg code checks: here only what makes them ones. */
export const schemaShape = z.custom<Schema>(
  (value) => z.looseObject({ fields: z.array(z.unknown()) }).safeParse(value).success,
  'expected a schema',
);
export const specShape = z.custom<PartitionSpec>(
  (value) => z.looseObject({ fields: z.array(z.unknown()) }).safeParse(value).success,
  'expected a partition spec',
);
export const orderShape = z.custom<SortOrder>(
  (value) => z.looseObject({ fields: z.array(z.unknown()) }).safeParse(value).success,
  'expected a sort order',
);

const snapshotForm = z.looseObject({
  'snapshot-id': snapshotId,
  'parent-snapshot-id': snapshotId.nullish(),
  'sequence-number': int.optional(),
  'timestamp-ms': int,
  'manifest-list': z.string().min(1),
  summary: z.looseObject({ operation: z.string() }),
});
export const snapshotShape = z.custom<Snapshot>(
  (value) => snapshotForm.safeParse(value).success,
  'expected a snapshot with snapshot-id, timestamp-ms, manifest-list and summary',
);

/** What each action has to carry; an action that is not listed is for `applyUpdates` to refuse. */
const PAYLOADS: Readonly<Record<string, z.ZodRawShape>> = {
  'assign-uuid': { uuid: z.string().min(1) },
  'upgrade-format-version': { 'format-version': int },
  'add-schema': { schema: schemaShape },
  'set-current-schema': { 'schema-id': int },
  'add-spec': { spec: specShape },
  'set-default-spec': { 'spec-id': int },
  'add-sort-order': { 'sort-order': orderShape },
  'set-default-sort-order': { 'sort-order-id': int },
  'add-snapshot': { snapshot: snapshotShape },
  'set-snapshot-ref': {
    'ref-name': z.string().min(1),
    'snapshot-id': snapshotId,
    type: z.enum(['branch', 'tag']),
  },
  'remove-snapshots': { 'snapshot-ids': z.array(snapshotId) },
  'remove-snapshot-ref': { 'ref-name': z.string().min(1) },
  'set-location': { location: z.string().min(1) },
  'set-properties': { updates: propertiesSchema },
  'remove-properties': { removals: z.array(z.string()) },
  'set-statistics': {
    statistics: z.looseObject({ 'snapshot-id': snapshotId, 'statistics-path': z.string() }),
  },
  'remove-statistics': { 'snapshot-id': snapshotId },
  'set-partition-statistics': {
    'partition-statistics': z.looseObject({ 'snapshot-id': snapshotId, 'statistics-path': z.string() }),
  },
  'remove-partition-statistics': { 'snapshot-id': snapshotId },
  'remove-partition-specs': { 'spec-ids': z.array(int) },
  'remove-schemas': { 'schema-ids': z.array(int) },
};

function isUpdate(value: unknown): boolean {
  const action = z.looseObject({ action: z.string() }).safeParse(value);
  if (!action.success) return false;
  const payload = Object.hasOwn(PAYLOADS, action.data.action) ? PAYLOADS[action.data.action] : undefined;
  return payload === undefined || z.looseObject(payload).safeParse(value).success;
}

const update = z.custom<TableUpdate>(isUpdate, 'an update lacks its action, or what belongs to it');
const requirement = z.custom<TableRequirement>(
  (value) => z.looseObject({ type: z.string() }).safeParse(value).success,
  'a requirement lacks its type',
);

/** REST spec: `CommitTableRequest`. */
export const commitShape = z.object({
  identifier: identifierSchema.optional(),
  requirements: z.array(requirement).default([]),
  updates: z.array(update),
});
