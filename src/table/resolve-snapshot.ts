import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { snapshotAsOf, snapshotById, snapshotForRef, type TableMetadata } from '../iceberg/table-metadata.ts';
import type { ScanOptions } from './scan.ts';

/** The snapshot that a person named, with the options by which `planScan` reads it. */
export interface ResolvedSnapshot {
  readonly snapshot: Snapshot;
  readonly scan: ScanOptions;
}

/** ISO 8601 date or date-time; without a zone it is UTC. Milliseconds since 1970, or null. */
export function parseTime(text: string): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?(Z|[+-]\d{2}:\d{2})?$/.exec(
    text.trim(),
  );
  if (!match) return null;
  const time = Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? 'Z'}`);
  return Number.isNaN(time) ? null : time;
}

/**
 * The snapshot that a branch's or tag's name, a snapshot id, or a time names, tried in this order. Errors: `not-found` with the nearest name.
 */
export function resolveSnapshot(metadata: TableMetadata, text: string): ResolvedSnapshot {
  if (metadata.refs[text] !== undefined) {
    const snapshot = snapshotForRef(metadata, text);
    if (snapshot) return { snapshot, scan: { ref: text } };
  }
  if (/^\d+$/.test(text)) {
    const snapshot = snapshotById(metadata, BigInt(text));
    if (snapshot) return { snapshot, scan: { snapshotId: snapshot['snapshot-id'] } };
  }
  const time = parseTime(text);
  if (time !== null) {
    const snapshot = snapshotAsOf(metadata, time);
    if (snapshot) return { snapshot, scan: { snapshotId: snapshot['snapshot-id'] } };
    throw new LakeError('not-found', `The table had no snapshot yet at ${text}`, {
      hint: firstSnapshotHint(metadata),
    });
  }
  throw new LakeError('not-found', `There is no snapshot, branch or tag "${text}"`, {
    hint: nearestHint(metadata, text),
  });
}

function firstSnapshotHint(metadata: TableMetadata): string {
  const first = metadata['snapshot-log'][0];
  return first
    ? `Its history starts at ${new Date(first['timestamp-ms']).toISOString()}.`
    : 'It has no snapshot at all.';
}

function nearestHint(metadata: TableMetadata, text: string): string {
  const names = [
    ...Object.keys(metadata.refs),
    ...metadata.snapshots.map((snapshot) => String(snapshot['snapshot-id'])),
  ];
  const near = nearestName(text, names);
  if (near !== null) return `Did you mean "${near}"?`;
  const refs = Object.keys(metadata.refs);
  return `Write a snapshot id, a time such as 2001-03-01T00:00:00Z, or one of the refs${refs.length > 0 ? `: ${refs.join(', ')}` : ' (there are none)'}.`;
}
