import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { parseFilter, type RestFilter } from '../../src/iceberg/filter-json.ts';
import { findField, type Schema } from '../../src/iceberg/schema.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import {
  ancestors,
  currentSchema,
  currentSnapshot,
  schemaById,
  snapshotById,
  snapshotSchema,
  type TableMetadata,
} from '../../src/iceberg/table-metadata.ts';

const names = z.array(z.string().min(1));
const count = z.union([z.int().min(0), z.bigint().min(0n)]);

/** REST spec: `PlanTableScanRequest`. `min-rows-requested` is a hint that is not used: an answer holds all files. */
export const scanRequestShape = z.object({
  'snapshot-id': z.bigint().nullish(),
  'start-snapshot-id': z.bigint().nullish(),
  'end-snapshot-id': z.bigint().nullish(),
  select: names.nullish(),
  filter: z.unknown().optional(),
  'case-sensitive': z.boolean().nullish(),
  'use-snapshot-schema': z.boolean().nullish(),
  'stats-fields': names.nullish(),
  'min-rows-requested': count.nullish(),
});
type ScanRequest = z.infer<typeof scanRequestShape>;

/** What a scan asks, pinned to snapshots and a schema, so that it asks the same whenever and wherever it is answered. */
export interface PinnedScan {
  /** The end of the range for an incremental scan; null for a table without a snapshot. */
  readonly snapshotId: bigint | null;
  /** Incremental: the snapshot before the first one of the range. */
  readonly afterId: bigint | null;
  readonly schemaId: number;
  readonly caseSensitive: boolean;
  /** The filter's JSON as it came; absent without one. */
  readonly filter?: unknown;
  /** Ids of the fields whose statistics are wanted. */
  readonly statsIds: readonly number[];
}

/** A scan of a table as it is. */
export interface Scan {
  readonly metadata: TableMetadata;
  readonly pinned: PinnedScan;
  readonly schema: Schema;
  readonly filter: RestFilter | null;
  /** The snapshots whose manifests are read, oldest first: one, or the appends of an incremental scan. */
  readonly snapshots: readonly Snapshot[];
  /** Only files that the snapshot itself added, without deletes. */
  readonly incremental: boolean;
}

/** Errors: `invalid-argument` for snapshots, columns and filters that are not there or do not go together. */
export function pinScan(metadata: TableMetadata, request: ScanRequest): PinnedScan {
  const { snapshot, afterId } = wantedSnapshots(metadata, request);
  const snapshotsOwn = request['use-snapshot-schema'] === true && snapshot !== null;
  const schema = snapshotsOwn ? snapshotSchema(metadata, snapshot) : currentSchema(metadata);
  const caseSensitive = request['case-sensitive'] ?? true;
  const idOf = (name: string): number => {
    const field = findField(schema, name, { caseSensitive });
    if (field !== null) return field.id;
    throw refused(`there is no column ${name.slice(0, 100)}`);
  };
  for (const name of request.select ?? []) idOf(name);
  const { filter } = request;
  return {
    snapshotId: snapshot?.['snapshot-id'] ?? null,
    afterId,
    schemaId: schema['schema-id'],
    caseSensitive,
    ...(filter === undefined || filter === null || filter === true ? {} : { filter }),
    statsIds: [...new Set((request['stats-fields'] ?? []).map(idOf))],
  };
}

/** Errors: `not-found` if a snapshot or the schema is gone, `invalid-argument` for the filter. */
export function scanOf(metadata: TableMetadata, pinned: PinnedScan): Scan {
  const schema = schemaById(metadata, pinned.schemaId);
  const { filter } = pinned;
  return {
    metadata,
    pinned,
    schema,
    filter: filter === undefined ? null : parseFilter(filter, schema, pinned.caseSensitive),
    snapshots: scannedSnapshots(metadata, pinned),
    incremental: pinned.afterId !== null,
  };
}

function wantedSnapshots(
  metadata: TableMetadata,
  request: ScanRequest,
): { readonly snapshot: Snapshot | null; readonly afterId: bigint | null } {
  const start = request['start-snapshot-id'] ?? null;
  const end = request['end-snapshot-id'] ?? null;
  const single = request['snapshot-id'] ?? null;
  if (start === null && end === null) {
    const snapshot = single === null ? currentSnapshot(metadata) : snapshotOf(metadata, single);
    return { snapshot: snapshot ?? null, afterId: null };
  }
  if (single !== null) {
    throw refused(
      'it asks for one snapshot (snapshot-id) and for a range (start-snapshot-id, end-snapshot-id)',
    );
  }
  if (start === null || end === null) {
    throw refused('an incremental scan needs both start-snapshot-id and end-snapshot-id');
  }
  const snapshot = snapshotOf(metadata, end);
  snapshotOf(metadata, start);
  const isAncestor = [...ancestors(metadata, end)].some((one) => one['snapshot-id'] === start);
  if (!isAncestor) throw refused(`snapshot ${start} is no ancestor of snapshot ${end}`);
  return { snapshot, afterId: start };
}

/** Of a range the appends alone: what compactions, moves and deletes wrote holds no new rows. */
function scannedSnapshots(metadata: TableMetadata, { snapshotId, afterId }: PinnedScan): Snapshot[] {
  if (snapshotId === null) return [];
  const snapshot = snapshotById(metadata, snapshotId);
  if (snapshot === undefined) throw gone(snapshotId);
  if (afterId === null) return [snapshot];
  const range: Snapshot[] = [];
  for (const one of ancestors(metadata, snapshotId)) {
    if (one['snapshot-id'] === afterId) {
      return range.filter(({ summary }) => summary?.['operation'] === 'append').reverse();
    }
    range.push(one);
  }
  throw gone(afterId);
}

function snapshotOf(metadata: TableMetadata, id: bigint): Snapshot {
  const snapshot = snapshotById(metadata, id);
  if (snapshot !== undefined) return snapshot;
  throw refused(`there is no snapshot ${id}`);
}

function gone(id: bigint): LakeError {
  return new LakeError('not-found', `Snapshot ${id} has expired since the scan was planned`, {
    hint: 'Plan the scan anew.',
  });
}

function refused(reason: string): LakeError {
  return new LakeError('invalid-argument', `The scan cannot be planned: ${reason}`, {
    hint: 'Nothing was planned: correct the request.',
  });
}
