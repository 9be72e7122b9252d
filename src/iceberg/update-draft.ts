import { LakeError } from '../errors.ts';
import type { MetadataLogEntry, TableMetadata } from './table-metadata.ts';
import { MAX_FORMAT_VERSION, NO_PARTITION_ID } from './table-metadata.ts';

/** What a commit brings besides its updates. */
export interface CommitContext {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** Location of the base's metadata file, to be logged; absent on create. */
  readonly previousMetadataLocation?: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Metadata in the making. `metadata` is a shallow copy of the base: its fields are replaced, never changed
 * in place.
 */
export interface Draft {
  readonly metadata: Mutable<TableMetadata>;
  readonly base: TableMetadata | null;
  readonly nowMs: number;
  /** True once an update made a difference. */
  changed: boolean;
  /** Time of the change, if an added snapshot decides it. */
  updatedMs: number | null;
  /** What -1 stands for in set-current-schema, set-default-spec, set-default-sort-order. */
  lastAddedSchemaId: number | null;
  lastAddedSpecId: number | null;
  lastAddedSortOrderId: number | null;
  readonly addedSnapshots: Set<bigint>;
  /** Snapshots that main was set to by this commit, whether or not it stayed there. */
  readonly mainSnapshots: Set<bigint>;
  readonly removedSnapshots: Set<bigint>;
  readonly removedSchemas: Set<number>;
}

/** Ids of what a table in creation does not have yet; all are replaced before the draft is finished. */
const NONE = -1;
const DEFAULT_METADATA_LOG_SIZE = 100;

export function startDraft(base: TableMetadata | null, formatVersion: number, nowMs: number): Draft {
  return {
    metadata: base ? { ...base } : emptyMetadata(formatVersion, nowMs),
    base,
    nowMs,
    changed: false,
    updatedMs: null,
    lastAddedSchemaId: null,
    lastAddedSpecId: null,
    lastAddedSortOrderId: null,
    addedSnapshots: new Set(),
    mainSnapshots: new Set(),
    removedSnapshots: new Set(),
    removedSchemas: new Set(),
  };
}

/**
 * The finished metadata; `base` itself if nothing changed.
 *
 * @throws LakeError('invalid-argument') if a new table lacks a part, or a retained snapshot its schema.
 */
export function finishDraft(draft: Draft, previousMetadataLocation: string | undefined): TableMetadata {
  if (draft.base && !draft.changed) return draft.base;
  const { metadata, base } = draft;
  if (!base) checkComplete(metadata);
  checkRemovedSchemas(draft);
  metadata['snapshot-log'] = trimmedSnapshotLog(draft);
  // Java refuses metadata whose time runs backwards, and clocks of writers differ.
  metadata['last-updated-ms'] = Math.max(metadata['last-updated-ms'], draft.updatedMs ?? draft.nowMs);
  if (base && previousMetadataLocation !== undefined) {
    metadata['metadata-log'] = extendedMetadataLog(metadata, {
      'timestamp-ms': base['last-updated-ms'],
      'metadata-file': previousMetadataLocation,
    });
  }
  return metadata;
}

/** An update that does not fit the table: throws LakeError('invalid-argument'). */
export function refuse(problem: string, hint = 'correct the update; nothing was changed'): never {
  throw new LakeError('invalid-argument', problem, { hint });
}

function emptyMetadata(formatVersion: number, nowMs: number): TableMetadata {
  if (!Number.isInteger(formatVersion) || formatVersion < 1 || formatVersion > MAX_FORMAT_VERSION) {
    refuse(`format version ${formatVersion} is not supported`, `take 1 to ${MAX_FORMAT_VERSION}`);
  }
  return {
    'format-version': formatVersion,
    'table-uuid': '',
    location: '',
    'last-sequence-number': 0,
    'last-updated-ms': nowMs,
    'last-column-id': 0,
    'current-schema-id': NONE,
    schemas: [],
    'default-spec-id': NONE,
    'partition-specs': [],
    'last-partition-id': NO_PARTITION_ID,
    properties: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    'sort-orders': [],
    'default-sort-order-id': NONE,
    refs: {},
    statistics: [],
    'partition-statistics': [],
    ...(formatVersion >= 3 ? { 'next-row-id': 0 } : {}),
  };
}

function checkComplete(metadata: TableMetadata): void {
  const parts: readonly (readonly [boolean, string])[] = [
    [metadata['table-uuid'] === '', 'assign-uuid'],
    [metadata.location === '', 'set-location'],
    [metadata['current-schema-id'] === NONE, 'set-current-schema'],
    [metadata['default-spec-id'] === NONE, 'set-default-spec'],
    [metadata['default-sort-order-id'] === NONE, 'set-default-sort-order'],
  ];
  const missing = parts.filter(([lacks]) => lacks).map(([, action]) => action);
  if (missing.length === 0) return;
  refuse(`a table cannot be created without ${missing.join(', ')}`, 'add these updates; nothing was created');
}

/** A snapshot whose schema is gone could not be read any more. */
function checkRemovedSchemas({ metadata, removedSchemas }: Draft): void {
  if (removedSchemas.size === 0) return;
  const user = metadata.snapshots.find(({ 'schema-id': id }) => id !== undefined && removedSchemas.has(id));
  if (!user) return;
  refuse(
    `schema ${user['schema-id']} cannot be removed: snapshot ${user['snapshot-id']} was written with it`,
    'expire the snapshot first, or keep the schema',
  );
}

/**
 * The snapshot log without what this commit made untrue: snapshots that were main's only within the commit,
 * and everything before a snapshot that was removed (spec: `snapshot-log`), since time travel into such a
 * gap would find the wrong snapshot.
 */
function trimmedSnapshotLog(draft: Draft): TableMetadata['snapshot-log'] {
  const { metadata, addedSnapshots, mainSnapshots, removedSnapshots } = draft;
  const current = metadata['current-snapshot-id'];
  const passing = (id: bigint) => id !== current && addedSnapshots.has(id) && mainSnapshots.has(id);
  const log = metadata['snapshot-log'];
  const lastGap = log.findLastIndex(({ 'snapshot-id': id }) => removedSnapshots.has(id));
  return log.slice(lastGap + 1).filter(({ 'snapshot-id': id }) => !passing(id));
}

function extendedMetadataLog(metadata: TableMetadata, entry: MetadataLogEntry): readonly MetadataLogEntry[] {
  const text = metadata.properties['write.metadata.previous-versions-max'];
  const wanted = text === undefined ? Number.NaN : Number(text);
  const size = Number.isInteger(wanted) ? Math.max(1, wanted) : DEFAULT_METADATA_LOG_SIZE;
  return [...metadata['metadata-log'], entry].slice(-size);
}
