import type { PartitionSpec } from './partition-spec.ts';
import type { SnapshotRef } from './refs.ts';
import type { Schema } from './schema.ts';
import {
  addSchema,
  addSortOrder,
  addSpec,
  removeSchemas,
  removeSpecs,
  setCurrentSchema,
  setDefaultSortOrder,
  setDefaultSpec,
} from './schema-updates.ts';
import type { Snapshot } from './snapshot.ts';
import {
  addSnapshot,
  removePartitionStatistics,
  removeRef,
  removeSnapshots,
  removeStatistics,
  setRef,
  withoutSnapshot,
} from './snapshot-updates.ts';
import type { SortOrder } from './sort-order.ts';
import {
  type EncryptionKey,
  MAX_FORMAT_VERSION,
  type PartitionStatisticsFile,
  type StatisticsFile,
  stripTrailingSlash,
  type TableMetadata,
} from './table-metadata.ts';
import { type CommitContext, type Draft, finishDraft, refuse, startDraft } from './update-draft.ts';

/** A metadata update of the REST spec (`TableUpdate`), as it stands on the wire. */
export type TableUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly 'format-version': number }
  | { readonly action: 'add-schema'; readonly schema: Schema; readonly 'last-column-id'?: number }
  | { readonly action: 'set-current-schema'; readonly 'schema-id': number }
  | { readonly action: 'add-spec'; readonly spec: PartitionSpec }
  | { readonly action: 'set-default-spec'; readonly 'spec-id': number }
  | { readonly action: 'add-sort-order'; readonly 'sort-order': SortOrder }
  | { readonly action: 'set-default-sort-order'; readonly 'sort-order-id': number }
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  | ({ readonly action: 'set-snapshot-ref'; readonly 'ref-name': string } & SnapshotRef)
  | { readonly action: 'remove-snapshots'; readonly 'snapshot-ids': readonly bigint[] }
  | { readonly action: 'remove-snapshot-ref'; readonly 'ref-name': string }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | {
      readonly action: 'set-statistics';
      readonly 'snapshot-id'?: bigint;
      readonly statistics: StatisticsFile;
    }
  | { readonly action: 'remove-statistics'; readonly 'snapshot-id': bigint }
  | { readonly action: 'set-partition-statistics'; readonly 'partition-statistics': PartitionStatisticsFile }
  | { readonly action: 'remove-partition-statistics'; readonly 'snapshot-id': bigint }
  | { readonly action: 'remove-partition-specs'; readonly 'spec-ids': readonly number[] }
  | { readonly action: 'remove-schemas'; readonly 'schema-ids': readonly number[] }
  | { readonly action: 'add-encryption-key'; readonly 'encryption-key': EncryptionKey }
  | { readonly action: 'remove-encryption-key'; readonly 'key-id': string };

type UpdateByAction = { readonly [U in TableUpdate as U['action']]: U };
type Action = keyof UpdateByAction;
type UpdateOf<A extends Action = Action> = {
  readonly [K in A]: UpdateByAction[K] & { readonly action: K };
}[A];

const apply: { readonly [A in Action]: (draft: Draft, update: UpdateByAction[A]) => void } = {
  'assign-uuid': (draft, { uuid }) => assignUuid(draft, uuid),
  'upgrade-format-version': (draft, update) => upgradeFormatVersion(draft, update['format-version']),
  'add-schema': (draft, update) => addSchema(draft, update.schema, update['last-column-id']),
  'set-current-schema': (draft, update) => setCurrentSchema(draft, update['schema-id']),
  'add-spec': (draft, { spec }) => addSpec(draft, spec),
  'set-default-spec': (draft, update) => setDefaultSpec(draft, update['spec-id']),
  'add-sort-order': (draft, update) => addSortOrder(draft, update['sort-order']),
  'set-default-sort-order': (draft, update) => setDefaultSortOrder(draft, update['sort-order-id']),
  'add-snapshot': (draft, { snapshot }) => addSnapshot(draft, snapshot),
  'set-snapshot-ref': (draft, { action: _, 'ref-name': name, ...ref }) => setRef(draft, name, ref),
  'remove-snapshots': (draft, update) => removeSnapshots(draft, update['snapshot-ids']),
  'remove-snapshot-ref': (draft, update) => removeRef(draft, update['ref-name']),
  'set-location': (draft, { location }) => setLocation(draft, location),
  'set-properties': (draft, { updates }) => setProperties(draft, updates),
  'remove-properties': (draft, { removals }) => removeProperties(draft, removals),
  'set-statistics': (draft, { statistics }) => setStatistics(draft, statistics),
  'remove-statistics': (draft, update) => removeStatistics(draft, update['snapshot-id']),
  'set-partition-statistics': (draft, update) =>
    setPartitionStatistics(draft, update['partition-statistics']),
  'remove-partition-statistics': (draft, update) => removePartitionStatistics(draft, update['snapshot-id']),
  'remove-partition-specs': (draft, update) => removeSpecs(draft, update['spec-ids']),
  'remove-schemas': (draft, update) => removeSchemas(draft, update['schema-ids']),
  'add-encryption-key': (draft, update) => addEncryptionKey(draft, update['encryption-key']),
  'remove-encryption-key': (draft, update) => removeEncryptionKey(draft, update['key-id']),
};

/** Format version of a table created by updates that do not name one. */
const DEFAULT_FORMAT_VERSION = 2;

/**
 * Applies metadata updates (REST spec: `TableUpdate`) in their order, with the meaning they have in Iceberg
 * Java's `TableMetadata.Builder`. Pure: neither `base` nor the updates are changed.
 *
 * @param base null to create the table, which then takes a uuid, a location, a schema, a partition spec and
 *   a sort order among the updates.
 * @returns the new metadata; `base` itself if the updates change nothing, so that no commit is needed.
 * @throws LakeError('invalid-argument') for an unknown action or an update that does not fit the table;
 *   LakeError('conflict') for a snapshot whose sequence number or row ids another commit has taken.
 */
export function applyUpdates(
  base: TableMetadata | null,
  updates: readonly TableUpdate[],
  context: CommitContext,
): TableMetadata {
  for (const { action } of updates) refuseUnknown(action);
  const upgrade = updates.find((update) => update.action === 'upgrade-format-version');
  const draft = startDraft(base, upgrade?.['format-version'] ?? DEFAULT_FORMAT_VERSION, context.nowMs);
  for (const update of updates) applyUpdate(draft, update);
  return finishDraft(draft, context.previousMetadataLocation);
}

function applyUpdate<A extends Action>(draft: Draft, update: UpdateOf<A>): void {
  apply[update.action](draft, update);
}

function refuseUnknown(action: string): void {
  if (!Object.hasOwn(apply, action)) {
    refuse(`unknown update action ${action}`, `this catalog knows ${Object.keys(apply).join(', ')}`);
  }
}

function assignUuid(draft: Draft, uuid: string): void {
  const { metadata } = draft;
  if (metadata['table-uuid'].toLowerCase() === uuid.toLowerCase()) return;
  // Another uuid would make it another table for everyone who holds the old one.
  if (draft.base) refuse(`the table has the uuid ${metadata['table-uuid']} already`);
  metadata['table-uuid'] = uuid;
  draft.changed = true;
}

function upgradeFormatVersion(draft: Draft, version: number): void {
  const { metadata } = draft;
  const from = metadata['format-version'];
  if (!Number.isInteger(version) || version > MAX_FORMAT_VERSION) {
    refuse(`format version ${version} is not supported`, `the highest is ${MAX_FORMAT_VERSION}`);
  }
  if (version < from) refuse(`a table cannot go back from format version ${from} to ${version}`);
  if (version === from) return;
  metadata['format-version'] = version;
  if (version >= 3) metadata['next-row-id'] ??= 0;
  draft.changed = true;
}

function setLocation(draft: Draft, location: string): void {
  const stripped = stripTrailingSlash(location);
  if (draft.metadata.location === stripped) return;
  draft.metadata.location = stripped;
  draft.changed = true;
}

function setProperties(draft: Draft, updates: Readonly<Record<string, string>>): void {
  const { properties } = draft.metadata;
  const differs = ([key, value]: [string, string]) =>
    !Object.hasOwn(properties, key) || properties[key] !== value;
  if (!Object.entries(updates).some(differs)) return;
  draft.metadata.properties = { ...properties, ...updates };
  draft.changed = true;
}

function removeProperties(draft: Draft, removals: readonly string[]): void {
  const entries = Object.entries(draft.metadata.properties);
  const kept = entries.filter(([key]) => !removals.includes(key));
  if (kept.length === entries.length) return;
  draft.metadata.properties = Object.fromEntries(kept);
  draft.changed = true;
}

function setStatistics(draft: Draft, file: StatisticsFile): void {
  const others = withoutSnapshot(draft.metadata.statistics, file['snapshot-id']);
  draft.metadata.statistics = [...others, file];
  draft.changed = true;
}

function setPartitionStatistics(draft: Draft, file: PartitionStatisticsFile): void {
  const others = withoutSnapshot(draft.metadata['partition-statistics'], file['snapshot-id']);
  draft.metadata['partition-statistics'] = [...others, file];
  draft.changed = true;
}

function addEncryptionKey(draft: Draft, key: EncryptionKey): void {
  const { metadata } = draft;
  if (metadata['format-version'] < 3) refuse('encryption keys need format version 3');
  const keys = metadata['encryption-keys'] ?? [];
  if (keys.some((other) => other['key-id'] === key['key-id'])) return;
  metadata['encryption-keys'] = [...keys, key];
  draft.changed = true;
}

function removeEncryptionKey(draft: Draft, keyId: string): void {
  const keys = draft.metadata['encryption-keys'] ?? [];
  const kept = keys.filter((key) => key['key-id'] !== keyId);
  if (kept.length === keys.length) return;
  draft.metadata['encryption-keys'] = kept;
  draft.changed = true;
}
