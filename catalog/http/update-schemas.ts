import * as z from 'zod';
import type { TableRequirement } from '../../src/iceberg/requirements.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { ViewVersion } from '../../src/iceberg/view-metadata.ts';
import type { ViewRequirement, ViewUpdate } from '../../src/iceberg/view-updates.ts';
import { identifierSchema, propertiesSchema } from './request.ts';
import { orderShape, schemaShape, specShape } from './structure-shapes.ts';

const int = z.number().int();
/** A signed 64-bit integer: a larger one would make metadata that no engine reads. */
const snapshotId = z.bigint().refine((id) => BigInt.asIntN(64, id) === id);

const snapshotForm = z.looseObject({
  'snapshot-id': snapshotId,
  'parent-snapshot-id': snapshotId.nullish(),
  'sequence-number': int.optional(),
  'timestamp-ms': int.min(0),
  'manifest-list': z.string().min(1),
  'schema-id': int.nullish(),
  summary: z.object({ operation: z.string() }).catchall(z.string()),
});
export const snapshotShape = z.custom<Snapshot>(
  (value) => snapshotForm.safeParse(value).success,
  'expected a snapshot with snapshot-id, timestamp-ms, manifest-list and summary',
);

/** What each action has to carry; an action that is not listed is for `applyUpdates` to refuse. */
const PAYLOADS: Payloads = {
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

type Payloads = Readonly<Record<string, z.ZodRawShape>>;

const acting = z.looseObject({ action: z.string() });

/** Schemas are made once: making one takes longer than checking an update. */
function schemasOf(payloads: Payloads): ReadonlyMap<string, z.ZodType> {
  return new Map(Object.entries(payloads).map(([name, payload]) => [name, z.looseObject(payload)]));
}

function isUpdate(payloads: Payloads): (value: unknown) => boolean {
  const schemas = schemasOf(payloads);
  return (value) => {
    const { success, data } = acting.safeParse(value);
    return success && schemas.get(data.action)?.safeParse(value).success !== false;
  };
}

const LACKS = 'an update lacks its action, or what belongs to it';
const update = z.custom<TableUpdate>(isUpdate(PAYLOADS), LACKS);

/** What each requirement has to carry; one that is not listed is for `checkRequirements` to refuse. */
const ASSERTED: Payloads = {
  'assert-table-uuid': { uuid: z.string().min(1) },
  'assert-ref-snapshot-id': { ref: z.string().min(1), 'snapshot-id': snapshotId.nullish() },
  'assert-last-assigned-field-id': { 'last-assigned-field-id': int },
  'assert-current-schema-id': { 'current-schema-id': int },
  'assert-last-assigned-partition-id': { 'last-assigned-partition-id': int },
  'assert-default-spec-id': { 'default-spec-id': int },
  'assert-default-sort-order-id': { 'default-sort-order-id': int },
};

const typed = z.looseObject({ type: z.string() });
const asserted = schemasOf(ASSERTED);

function isRequirement(value: unknown): boolean {
  const { success, data } = typed.safeParse(value);
  return success && asserted.get(data.type)?.safeParse(value).success !== false;
}

const requirement = z.custom<TableRequirement>(
  isRequirement,
  'a requirement lacks its type, or what belongs to it',
);

/** REST spec: `CommitTableRequest`. */
export const commitShape = z.object({
  identifier: identifierSchema.optional(),
  requirements: z.array(requirement).default([]),
  updates: z.array(update),
});

const versionForm = z.looseObject({
  'version-id': int,
  'schema-id': int,
  'timestamp-ms': int.min(0),
  summary: propertiesSchema,
  representations: z.array(z.looseObject({ type: z.string() })),
  'default-namespace': z.array(z.string()),
  'default-catalog': z.string().nullish(),
});
export const viewVersionShape = z.custom<ViewVersion>(
  (value) => versionForm.safeParse(value).success,
  'expected a view version with version-id, schema-id, timestamp-ms, summary, representations and default-namespace',
);

const VIEW_PAYLOADS: Payloads = {
  'assign-uuid': { uuid: z.string().min(1) },
  'upgrade-format-version': { 'format-version': int },
  'add-schema': { schema: schemaShape },
  'set-location': { location: z.string().min(1) },
  'set-properties': { updates: propertiesSchema },
  'remove-properties': { removals: z.array(z.string()) },
  'add-view-version': { 'view-version': viewVersionShape },
  'set-current-view-version': { 'view-version-id': int },
};

const viewRequirement = z.looseObject({ type: z.string(), uuid: z.string() });

/** REST spec: `CommitViewRequest`. */
export const viewCommitShape = z.object({
  identifier: identifierSchema.optional(),
  requirements: z
    .array(
      z.custom<ViewRequirement>(
        (value) => viewRequirement.safeParse(value).success,
        'a requirement lacks its type or its uuid',
      ),
    )
    .default([]),
  updates: z.array(z.custom<ViewUpdate>(isUpdate(VIEW_PAYLOADS), LACKS)),
});
