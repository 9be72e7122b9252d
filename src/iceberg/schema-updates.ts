import { isDeepStrictEqual } from 'node:util';
import { type PartitionField, type PartitionSpec, validateSpec } from './partition-spec.ts';
import { highestFieldId, type Schema, validateSchema } from './schema.ts';
import { checkSchemaVersion } from './schema-version.ts';
import { type SortOrder, validateSortOrder } from './sort-order.ts';
import { schemaById } from './table-metadata.ts';
import { type Draft, refuse } from './update-draft.ts';

/** On the wire: "the one this commit added last". */
const LAST_ADDED = -1;

/**
 * Adds a schema under the next free id, or finds an equal one. The highest column id ever given out only
 * grows, so that an id is used once.
 */
export function addSchema(draft: Draft, added: Schema, lastColumnId = 0): void {
  const { metadata } = draft;
  validateSchema(added);
  checkSchemaVersion(added, metadata['format-version']);
  const same = metadata.schemas.find((schema) => sameSchema(schema, added));
  const id = same?.['schema-id'] ?? nextId(metadata.schemas.map((schema) => schema['schema-id']));
  const highest = Math.max(metadata['last-column-id'], highestFieldId(added), lastColumnId);
  if (highest !== metadata['last-column-id'] || !same) draft.changed = true;
  metadata['last-column-id'] = highest;
  if (!same) metadata.schemas = [...metadata.schemas, { ...added, 'schema-id': id }];
  draft.lastAddedSchemaId = id;
}

export function setCurrentSchema(draft: Draft, wanted: number): void {
  const { metadata } = draft;
  const id = wanted === LAST_ADDED ? draft.lastAddedSchemaId : wanted;
  if (id === null) refuse('set-current-schema -1: this commit adds no schema');
  if (!metadata.schemas.some((schema) => schema['schema-id'] === id)) refuse(`there is no schema ${id}`);
  if (metadata['current-schema-id'] === id) return;
  metadata['current-schema-id'] = id;
  draft.changed = true;
}

export function removeSchemas(draft: Draft, ids: readonly number[]): void {
  const { metadata } = draft;
  if (ids.includes(metadata['current-schema-id'])) refuse('the current schema cannot be removed');
  const kept = metadata.schemas.filter((schema) => !ids.includes(schema['schema-id']));
  if (kept.length === metadata.schemas.length) return;
  for (const id of ids) draft.removedSchemas.add(id);
  metadata.schemas = kept;
  draft.changed = true;
}

/** Adds a partition spec under the next free id, or finds one with the same fields. */
export function addSpec(draft: Draft, added: PartitionSpec): void {
  const { metadata } = draft;
  const same = metadata['partition-specs'].find((spec) => sameFields(spec, added));
  if (same) {
    draft.lastAddedSpecId = same['spec-id'];
    return;
  }
  const id = nextId(metadata['partition-specs'].map((spec) => spec['spec-id']));
  const spec = { ...added, 'spec-id': id, fields: withFieldIds(draft, added.fields) };
  validateSpec(spec, schemaForSpecs(draft));
  const ids = spec.fields.map((field) => field['field-id']);
  // v1 tells partition fields by their position (spec: "Partition Evolution"), so ids must follow it.
  if (metadata['format-version'] === 1 && ids.some((fieldId, at) => fieldId !== 1000 + at)) {
    refuse('a v1 table needs partition field ids that count from 1000', 'upgrade the table to v2 first');
  }
  metadata['partition-specs'] = [...metadata['partition-specs'], spec];
  metadata['last-partition-id'] = Math.max(metadata['last-partition-id'], ...ids);
  draft.lastAddedSpecId = id;
  draft.changed = true;
}

export function setDefaultSpec(draft: Draft, wanted: number): void {
  const { metadata } = draft;
  const id = wanted === LAST_ADDED ? draft.lastAddedSpecId : wanted;
  if (id === null) refuse('set-default-spec -1: this commit adds no partition spec');
  if (!metadata['partition-specs'].some((spec) => spec['spec-id'] === id)) {
    refuse(`there is no partition spec ${id}`);
  }
  if (metadata['default-spec-id'] === id) return;
  metadata['default-spec-id'] = id;
  draft.changed = true;
}

export function removeSpecs(draft: Draft, ids: readonly number[]): void {
  const { metadata } = draft;
  if (ids.includes(metadata['default-spec-id'])) refuse('the default partition spec cannot be removed');
  const kept = metadata['partition-specs'].filter((spec) => !ids.includes(spec['spec-id']));
  if (kept.length === metadata['partition-specs'].length) return;
  metadata['partition-specs'] = kept;
  draft.changed = true;
}

/** Adds a sort order under the next free id (0 is the order without fields), or finds one with the same fields. */
export function addSortOrder(draft: Draft, added: SortOrder): void {
  const { metadata } = draft;
  const orders = metadata['sort-orders'];
  const same = orders.find((order) => isDeepStrictEqual(order.fields, added.fields));
  if (same) {
    draft.lastAddedSortOrderId = same['order-id'];
    return;
  }
  const id = added.fields.length === 0 ? 0 : Math.max(1, nextId(orders.map((order) => order['order-id'])));
  const order = { ...added, 'order-id': id };
  validateSortOrder(order, schemaForSpecs(draft));
  metadata['sort-orders'] = [...orders, order];
  draft.lastAddedSortOrderId = id;
  draft.changed = true;
}

export function setDefaultSortOrder(draft: Draft, wanted: number): void {
  const { metadata } = draft;
  const id = wanted === LAST_ADDED ? draft.lastAddedSortOrderId : wanted;
  if (id === null) refuse('set-default-sort-order -1: this commit adds no sort order');
  if (!metadata['sort-orders'].some((order) => order['order-id'] === id))
    refuse(`there is no sort order ${id}`);
  if (metadata['default-sort-order-id'] === id) return;
  metadata['default-sort-order-id'] = id;
  draft.changed = true;
}

function sameSchema(a: Schema, b: Schema): boolean {
  return (
    isDeepStrictEqual(a.fields, b.fields) &&
    isDeepStrictEqual(new Set(a['identifier-field-ids'] ?? []), new Set(b['identifier-field-ids'] ?? []))
  );
}

function sameFields(a: PartitionSpec, b: PartitionSpec): boolean {
  const meaning = (spec: PartitionSpec) =>
    spec.fields.map((field) => [field['source-id'], field.transform, field.name]);
  return isDeepStrictEqual(meaning(a), meaning(b));
}

/**
 * Fields may come without ids (REST spec: optional). An equivalent field of an earlier spec gives its id
 * (spec: "Partition Evolution"), else the next one is taken.
 */
function withFieldIds({ metadata }: Draft, fields: readonly Partial<PartitionField>[]): PartitionField[] {
  const earlier = metadata['partition-specs'].flatMap((spec) => spec.fields);
  const given = fields.flatMap((field) => field['field-id'] ?? []);
  let last = Math.max(metadata['last-partition-id'], ...given);
  const taken = new Set(given);
  const idFor = (field: Partial<PartitionField>): number => {
    const same = earlier.find(
      (other) => other['source-id'] === field['source-id'] && other.transform === field.transform,
    );
    if (!same || taken.has(same['field-id'])) return ++last;
    taken.add(same['field-id']);
    return same['field-id'];
  };
  return fields.map(({ 'source-id': source, name, transform, ...rest }) => {
    if (source === undefined || name === undefined || transform === undefined) {
      return refuse('a partition field needs source-id, name and transform');
    }
    const id = rest['field-id'] ?? idFor({ 'source-id': source, transform });
    return { ...rest, 'source-id': source, 'field-id': id, name, transform };
  });
}

function schemaForSpecs({ metadata }: Draft): Schema {
  if (metadata['current-schema-id'] < 0) refuse('a spec or sort order comes before set-current-schema');
  return schemaById(metadata, metadata['current-schema-id']);
}

function nextId(used: readonly number[]): number {
  return Math.max(-1, ...used) + 1;
}
