import { LakeError } from '../errors.ts';
import { type PartitionSpec, UNPARTITIONED } from './partition-spec.ts';
import { MAIN_BRANCH, type SnapshotRef } from './refs.ts';
import { assignFreshIds, columnName, fieldsById, findField, type Schema, validateSchema } from './schema.ts';
import { checkSchemaVersion } from './schema-version.ts';
import type { Snapshot } from './snapshot.ts';
import { type SortOrder, UNSORTED } from './sort-order.ts';

/**
 * Table metadata as it stands in JSON (spec: "Table Metadata"): kebab-case keys, and fields unknown to this
 * version kept. Ids of snapshots are bigint; everything else that is integral is a safe number.
 * `current-snapshot-id` is absent (never -1) in memory where there is none.
 */
export interface TableMetadata {
  readonly 'format-version': number;
  readonly 'table-uuid': string;
  readonly location: string;
  readonly 'last-sequence-number': number;
  readonly 'last-updated-ms': number;
  readonly 'last-column-id': number;
  readonly 'current-schema-id': number;
  readonly schemas: readonly Schema[];
  readonly 'default-spec-id': number;
  readonly 'partition-specs': readonly PartitionSpec[];
  readonly 'last-partition-id': number;
  readonly properties: Readonly<Record<string, string>>;
  readonly 'current-snapshot-id'?: bigint;
  readonly snapshots: readonly Snapshot[];
  readonly 'snapshot-log': readonly SnapshotLogEntry[];
  readonly 'metadata-log': readonly MetadataLogEntry[];
  readonly 'sort-orders': readonly SortOrder[];
  readonly 'default-sort-order-id': number;
  readonly refs: Readonly<Record<string, SnapshotRef>>;
  readonly statistics?: readonly StatisticsFile[];
  readonly 'partition-statistics'?: readonly PartitionStatisticsFile[];
  /** v3: above every row id given out so far. */
  readonly 'next-row-id'?: number;
  /** v3: passed through for engines that encrypt; Lakewarden itself neither reads nor writes encrypted tables. */
  readonly 'encryption-keys'?: readonly EncryptionKey[];
}

/** From `timestamp-ms` on, main was at `snapshot-id`. */
export interface SnapshotLogEntry {
  readonly 'timestamp-ms': number;
  readonly 'snapshot-id': bigint;
}

/** An earlier metadata file and the `last-updated-ms` in it. */
export interface MetadataLogEntry {
  readonly 'timestamp-ms': number;
  readonly 'metadata-file': string;
}

export interface StatisticsFile {
  readonly 'snapshot-id': bigint;
  readonly 'statistics-path': string;
  readonly 'file-size-in-bytes': number;
  readonly 'file-footer-size-in-bytes': number;
  readonly 'blob-metadata': readonly unknown[];
}

export interface PartitionStatisticsFile {
  readonly 'snapshot-id': bigint;
  readonly 'statistics-path': string;
  readonly 'file-size-in-bytes': number;
}

export interface EncryptionKey {
  readonly 'key-id': string;
  readonly 'encrypted-key-metadata': string;
  readonly 'encrypted-by-id'?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

/** What a new table is made of. */
export interface NewTable {
  readonly schema: Schema;
  /** Its source ids are ids of `schema`. */
  readonly spec?: PartitionSpec;
  /** Its source ids are ids of `schema`. */
  readonly sortOrder?: SortOrder;
  readonly location: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly uuid: string;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** 1 to 3; else the property `format-version`, else 2. */
  readonly formatVersion?: number;
}

/** Highest format version whose metadata this version understands. */
export const MAX_FORMAT_VERSION = 3;

/** `last-partition-id` of a table that never had a partition field (spec: ids start at 1000). */
export const NO_PARTITION_ID = 999;

/** Properties that Java derives from the metadata or takes as a command; none is stored. */
const RESERVED_PROPERTIES: ReadonlySet<string> = new Set([
  'format-version',
  'uuid',
  'snapshot-count',
  'current-snapshot-id',
  'current-snapshot-summary',
  'current-snapshot-timestamp-ms',
  'current-schema',
  'default-partition-spec',
  'default-sort-order',
]);

/**
 * Metadata of a new, empty table. Columns, partition fields, spec and sort order get fresh ids as Java gives
 * them on create (columns from 1, partition fields from 1000).
 *
 * @throws LakeError('invalid-argument') if the schema is invalid, or a spec or sort order names a column
 *   that the schema does not have.
 */
export function newTableMetadata(table: NewTable): TableMetadata {
  const formatVersion = formatVersionOf(table);
  validateSchema(table.schema);
  checkSchemaVersion(table.schema, formatVersion);
  const { schema: fresh, lastColumnId } = assignFreshIds(table.schema);
  const schema = { ...fresh, 'schema-id': 0 };
  const renumber = (sourceId: number) => freshSourceId(table.schema, schema, sourceId);
  const specFields = (table.spec ?? UNPARTITIONED).fields.map((field, at) => ({
    ...field,
    'source-id': renumber(field['source-id']),
    'field-id': NO_PARTITION_ID + 1 + at,
  }));
  const sortFields = (table.sortOrder ?? UNSORTED).fields.map((field) => ({
    ...field,
    'source-id': renumber(field['source-id']),
  }));
  const properties = Object.entries(table.properties ?? {}).filter(([key]) => !RESERVED_PROPERTIES.has(key));
  const orderId = sortFields.length === 0 ? 0 : 1;
  return {
    'format-version': formatVersion,
    'table-uuid': table.uuid,
    location: stripTrailingSlash(table.location),
    'last-sequence-number': 0,
    'last-updated-ms': table.nowMs,
    'last-column-id': lastColumnId,
    'current-schema-id': 0,
    schemas: [schema],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: specFields }],
    'last-partition-id': NO_PARTITION_ID + specFields.length,
    properties: Object.fromEntries(properties),
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    'sort-orders': [{ 'order-id': orderId, fields: sortFields }],
    'default-sort-order-id': orderId,
    refs: {},
    statistics: [],
    'partition-statistics': [],
    ...(formatVersion >= 3 ? { 'next-row-id': 0 } : {}),
  };
}

function formatVersionOf(table: NewTable): number {
  const version = table.formatVersion ?? Number(table.properties?.['format-version'] ?? 2);
  if (Number.isInteger(version) && version >= 1 && version <= MAX_FORMAT_VERSION) return version;
  const given = table.formatVersion ?? table.properties?.['format-version'];
  throw new LakeError('invalid-argument', `there is no format version ${given} here`, {
    hint: `take a format version from 1 to ${MAX_FORMAT_VERSION}`,
  });
}

function freshSourceId(old: Schema, fresh: Schema, sourceId: number): number {
  const field = fieldsById(old).has(sourceId) ? findField(fresh, columnName(old, sourceId)) : null;
  if (field) return field.id;
  throw new LakeError(
    'invalid-argument',
    `a partition or sort field names the column id ${sourceId}, which the schema does not have`,
    { hint: 'partition and sort fields take their source-id from the schema they come with' },
  );
}

/** The location without slashes at its end, but for the ones of a bare scheme (`file:///`). */
export function stripTrailingSlash(location: string): string {
  let text = location;
  while (text.endsWith('/') && !text.endsWith('://')) text = text.slice(0, -1);
  return text;
}

/** The schema that new data is written with. */
export function currentSchema(metadata: TableMetadata): Schema {
  return schemaById(metadata, metadata['current-schema-id']);
}

/** @throws LakeError('not-found') if the table never had, or no longer has, this schema. */
export function schemaById(metadata: TableMetadata, id: number): Schema {
  const schema = metadata.schemas.find((candidate) => candidate['schema-id'] === id);
  return schema ?? missing(metadata, `schema ${id}`);
}

/** @throws LakeError('not-found') if the table never had, or no longer has, this partition spec. */
export function specById(metadata: TableMetadata, id: number): PartitionSpec {
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === id);
  return spec ?? missing(metadata, `partition spec ${id}`);
}

/** The partition spec that new data is written with. */
export function defaultSpec(metadata: TableMetadata): PartitionSpec {
  return specById(metadata, metadata['default-spec-id']);
}

/** The sort order that new data is written in. */
export function defaultSortOrder(metadata: TableMetadata): SortOrder {
  const id = metadata['default-sort-order-id'];
  const order = metadata['sort-orders'].find((candidate) => candidate['order-id'] === id);
  return order ?? missing(metadata, `sort order ${id}`);
}

export function snapshotById(metadata: TableMetadata, id: bigint): Snapshot | undefined {
  return snapshotIndex(metadata).get(id);
}

/** The snapshot that main is at; undefined for a table without data. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id'];
  return id === undefined ? undefined : snapshotById(metadata, id);
}

/** The snapshot a branch or tag is at; undefined if there is no such ref (main: no data yet). */
export function snapshotForRef(metadata: TableMetadata, ref: string): Snapshot | undefined {
  if (ref === MAIN_BRANCH) return currentSnapshot(metadata);
  if (!Object.hasOwn(metadata.refs, ref)) return undefined;
  const found = metadata.refs[ref];
  return found && snapshotById(metadata, found['snapshot-id']);
}

/**
 * What main was at a point in time, by the snapshot log (not by ancestry: a rolled back snapshot was
 * current once). Undefined before the first entry of the log.
 *
 * @param timestampMs milliseconds since 1970; an entry of exactly this time counts.
 */
export function snapshotAsOf(metadata: TableMetadata, timestampMs: number): Snapshot | undefined {
  const entry = metadata['snapshot-log'].findLast(({ 'timestamp-ms': at }) => at <= timestampMs);
  return entry && snapshotById(metadata, entry['snapshot-id']);
}

/** The snapshot and its ancestors, newest first, as far back as the table still keeps them. */
export function* ancestors(metadata: TableMetadata, snapshotId: bigint): Generator<Snapshot, void> {
  const byId = snapshotIndex(metadata);
  const seen = new Set<bigint>();
  let id: bigint | undefined = snapshotId;
  while (id !== undefined && !seen.has(id)) {
    seen.add(id);
    const snapshot = byId.get(id);
    if (!snapshot) return;
    yield snapshot;
    id = snapshot['parent-snapshot-id'];
  }
}

/**
 * The schema a snapshot was written with; the current one if the snapshot (of an old writer) names none.
 *
 * @throws LakeError('not-found') if the schema it names is gone.
 */
export function snapshotSchema(metadata: TableMetadata, snapshot: Snapshot): Schema {
  const id = snapshot['schema-id'];
  return id === undefined ? currentSchema(metadata) : schemaById(metadata, id);
}

/** Metadata is immutable, so that its snapshots are indexed once. */
const snapshotIndexes = new WeakMap<readonly Snapshot[], ReadonlyMap<bigint, Snapshot>>();

function snapshotIndex(metadata: TableMetadata): ReadonlyMap<bigint, Snapshot> {
  let index = snapshotIndexes.get(metadata.snapshots);
  if (!index) {
    index = new Map(metadata.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
    snapshotIndexes.set(metadata.snapshots, index);
  }
  return index;
}

function missing(metadata: TableMetadata, what: string): never {
  throw new LakeError('not-found', `the table has no ${what}`, {
    where: metadata.location,
    hint: 'the metadata may have been changed since: reload the table',
  });
}
