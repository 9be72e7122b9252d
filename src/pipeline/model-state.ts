import { z } from 'zod';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { currentSnapshot, snapshotById, type TableMetadata } from '../iceberg/table-metadata.ts';

/** What a model's table was built from; the table property `lake.state`, set by the commit that publishes. */
export interface ModelState {
  /** `Model.fingerprint`. */
  readonly model: string;
  /** Version (see `tableVersion`) of each input, by its id. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Sequence number of main's snapshot at that time; a lower one now means that main was rolled back. */
  readonly sequence: number;
}

export const STATE_PROPERTY = 'lake.state';

const stateText = z.strictObject({
  model: z.string(),
  inputs: z.record(z.string(), z.string()),
  sequence: z.int(),
});

/** The state that a table remembers; null before its first run, after a rollback, and for text of another shape. */
export function modelState(metadata: TableMetadata): ModelState | null {
  const text = metadata.properties[STATE_PROPERTY];
  if (text === undefined) return null;
  const parsed = stateText.safeParse(parseOrNull(text));
  if (!parsed.success) return null;
  const sequence = currentSnapshot(metadata)?.['sequence-number'] ?? 0;
  return sequence < parsed.data.sequence ? null : parsed.data;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The version of a table's rows: the id of its newest snapshot that changed them. Snapshots of the operation
 * `replace` (fences of a tier move, compaction) hold the same rows, so they are passed over.
 *
 * @param snapshot a snapshot of the table; undefined has the version `0`
 */
export function tableVersion(metadata: TableMetadata, snapshot: Snapshot | undefined): string {
  let at = snapshot;
  while (at !== undefined && at.summary.operation === 'replace' && at['parent-snapshot-id'] !== undefined) {
    const parent = at['parent-snapshot-id'];
    const next = snapshotById(metadata, parent);
    // An expired parent still is the version: its id is all that counts.
    if (next === undefined) return String(parent);
    at = next;
  }
  return at === undefined ? '0' : String(at['snapshot-id']);
}

/** Main's snapshot id, or null for a table without one. */
export function mainSnapshotId(metadata: TableMetadata): bigint | null {
  return metadata.refs[MAIN_BRANCH]?.['snapshot-id'] ?? currentSnapshot(metadata)?.['snapshot-id'] ?? null;
}
