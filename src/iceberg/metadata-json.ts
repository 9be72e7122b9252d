import { createHash } from 'node:crypto';
import { LakeError } from '../errors.ts';
import { isJsonObject, parseJson, stringifyJson } from './json.ts';
import { checkMetadata, corrupt, type JsonObject } from './metadata-check.ts';
import { MAIN_BRANCH } from './refs.ts';
import { UNSORTED } from './sort-order.ts';
import {
  currentSchema,
  defaultSpec,
  MAX_FORMAT_VERSION,
  NO_PARTITION_ID,
  stripTrailingSlash,
  type TableMetadata,
} from './table-metadata.ts';

/** What v1 has instead of the lists of schemas and specs; derived on writing, so not kept in memory. */
const V1_ONLY = ['schema', 'partition-spec'];

/**
 * Reads a table metadata file (spec: "Table Metadata", appendix C) of format version 1, 2 or 3. Unknown
 * fields are kept. Version 1 comes out in the shape of version 2 (spec: appendix E), sequence numbers 0;
 * the main branch stands in `refs` if there is a current snapshot.
 *
 * @throws LakeError('corrupt') if the text is no JSON or no table metadata, naming the field at fault;
 *   LakeError('unsupported') for a higher format version or v1 snapshots without a manifest list.
 */
export function parseTableMetadata(text: string): TableMetadata {
  return tableMetadataOf(parseJson(text));
}

/** The same of JSON that `parseJson` has read, such as a part of a catalog's answer. */
export function tableMetadataOf(json: unknown): TableMetadata {
  if (!isJsonObject(json)) return corrupt('table metadata must be a JSON object');
  const version = json['format-version'];
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    return corrupt(`format-version is ${describe(version)}`);
  }
  if (version > MAX_FORMAT_VERSION) {
    throw new LakeError('unsupported', `the table has format version ${version}`, {
      hint: `this version of Lakewarden reads versions 1 to ${MAX_FORMAT_VERSION}`,
    });
  }
  return checkMetadata(withDefaults(version === 1 ? fromVersion1(json) : json));
}

/**
 * Writes table metadata as JSON that Iceberg Java and PyIceberg read. Nothing stands for "no current
 * snapshot"; version 1 gets its own `schema` and `partition-spec` beside the lists, and no sequence numbers.
 */
export function serializeTableMetadata(metadata: TableMetadata): string {
  return stringifyJson(Object.fromEntries(metadataFields(metadata)));
}

/** The fields of the JSON, in their order. */
export function metadataFields(metadata: TableMetadata): readonly (readonly [string, unknown])[] {
  const json = metadata['format-version'] === 1 ? toVersion1(metadata) : metadata;
  return Object.entries(json).filter(([, value]) => value !== undefined);
}

function fromVersion1(json: JsonObject): JsonObject {
  const schemas =
    json['schemas'] ?? (isJsonObject(json['schema']) ? [{ 'schema-id': 0, ...json['schema'] }] : []);
  const legacySpec = json['partition-spec'];
  const specs = json['partition-specs'] ?? [{ 'spec-id': 0, fields: withFieldIds(legacySpec) }];
  const firstSchema = Array.isArray(schemas) && isJsonObject(schemas[0]) ? schemas[0]['schema-id'] : 0;
  return {
    ...json,
    schemas,
    'current-schema-id': json['current-schema-id'] ?? firstSchema,
    'partition-specs': specs,
    'default-spec-id': json['default-spec-id'] ?? 0,
    'last-partition-id': json['last-partition-id'] ?? highestPartitionId(specs),
    'sort-orders': json['sort-orders'] ?? [UNSORTED],
    'default-sort-order-id': json['default-sort-order-id'] ?? 0,
    'last-sequence-number': 0,
    'table-uuid': json['table-uuid'] ?? uuidOfLocation(json['location']),
    snapshots: mapList(json['snapshots'], fromVersion1Snapshot),
  };
}

function fromVersion1Snapshot(snapshot: JsonObject): JsonObject {
  if (snapshot['manifest-list'] === undefined && snapshot['manifests'] !== undefined) {
    throw new LakeError('unsupported', `snapshot ${snapshot['snapshot-id']} has no manifest list`, {
      hint: 'rewrite the manifests of this old v1 table with Spark, and expire its old snapshots',
    });
  }
  return { ...snapshot, 'sequence-number': 0 };
}

/**
 * Snapshots of a table that was once v1 may lack what later versions require, and Java leaves out the
 * sequence number 0. Overwrite is the operation that promises least about what changed.
 */
function withSnapshotDefaults(snapshot: JsonObject): JsonObject {
  const isWhole = snapshot['sequence-number'] !== undefined && snapshot['summary'] !== undefined;
  if (isWhole && !Object.values(snapshot).includes(null)) return snapshot;
  const kept = Object.entries(snapshot).filter(([, value]) => value !== null);
  return { 'sequence-number': 0, summary: { operation: 'overwrite' }, ...Object.fromEntries(kept) };
}

/** Early v1 writers gave partition fields no ids: they count from 1000 (spec: "Partition Evolution"). */
function withFieldIds(fields: unknown): unknown {
  if (fields === undefined) return [];
  if (!Array.isArray(fields)) return fields;
  return fields.map((field: unknown, at) =>
    isJsonObject(field) ? { 'field-id': NO_PARTITION_ID + 1 + at, ...field } : field,
  );
}

function highestPartitionId(specs: unknown): number {
  const fields = asList(specs).flatMap((spec) => (isJsonObject(spec) ? asList(spec['fields']) : []));
  const ids = fields.map((field) => (isJsonObject(field) ? Number(field['field-id']) : Number.NaN));
  return Math.max(NO_PARTITION_ID, ...ids.filter(Number.isSafeInteger));
}

/** v1 tables may lack a uuid; one made of the location is the same at every read. */
function uuidOfLocation(location: unknown): string {
  const hex = createHash('sha256').update(String(location)).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4];
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/** Fills in what is optional in every version, and takes Java's -1 for what it means: no snapshot. */
function withDefaults(json: JsonObject): JsonObject {
  const { 'current-snapshot-id': currentId, ...rest } = json;
  const current =
    currentId === undefined || currentId === null || currentId === -1n
      ? {}
      : { 'current-snapshot-id': currentId };
  const kept = Object.entries(rest).filter(
    ([key, value]) => (value ?? null) !== null && !V1_ONLY.includes(key),
  );
  const filled = {
    properties: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    ...Object.fromEntries(kept),
    ...current,
  };
  const snapshots = mapList(filled.snapshots, withSnapshotDefaults);
  return { ...filled, snapshots, ...locationAndRefs(filled) };
}

function locationAndRefs(json: JsonObject): JsonObject {
  const location = json['location'];
  const refs = json['refs'] ?? {};
  const id = json['current-snapshot-id'];
  const main = id !== undefined && isJsonObject(refs) && !Object.hasOwn(refs, MAIN_BRANCH);
  return {
    ...(typeof location === 'string' ? { location: stripTrailingSlash(location) } : {}),
    refs: main ? { ...refs, [MAIN_BRANCH]: { 'snapshot-id': id, type: 'branch' } } : refs,
  };
}

function toVersion1(metadata: TableMetadata): object {
  const { 'last-sequence-number': _, snapshots, ...rest } = metadata;
  return {
    ...rest,
    schema: currentSchema(metadata),
    'partition-spec': defaultSpec(metadata).fields,
    snapshots: snapshots.map(({ 'sequence-number': _number, ...snapshot }) => snapshot),
  };
}

function mapList(list: unknown, change: (item: JsonObject) => JsonObject): unknown {
  return Array.isArray(list) ? list.map((item: unknown) => (isJsonObject(item) ? change(item) : item)) : list;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function describe(value: unknown): string {
  return value === undefined ? 'missing' : stringifyJson(value);
}
