import { z } from 'zod';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { currentSnapshot, snapshotById, type TableMetadata } from '../iceberg/table-metadata.ts';
import { descent, mainLineage, type RememberedSnapshot, stepsBack } from './lineage.ts';

/** What a model's table was built from; the table property `lake.state`, set by the commit that publishes. */
export interface ModelState {
  /** `Model.fingerprint`. */
  readonly model: string;
  /** Version (see `tableVersion`) of each input, by its id. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Main's snapshot with that result; null while there was no row. It holds as long as main descends from it. */
  readonly published: RememberedSnapshot | null;
}

export const STATE_PROPERTY = 'lake.state';

const stateText = z.strictObject({
  model: z.string(),
  inputs: z.record(z.string(), z.string()),
  published: z
    .strictObject({ snapshotId: z.string().regex(/^\d+$/).transform(BigInt), sequence: z.int() })
    .nullable(),
});

/**
 * The state that a table remembers; null before its first run, for text of another shape, and where main does not
 * (or cannot be seen to) descend from what was published: after a rollback, whatever fences or rewrites came after
 * it. The model is then compared with the table's rows as they are, which neither doubles nor loses any.
 */
export function modelState(metadata: TableMetadata): ModelState | null {
  const text = metadata.properties[STATE_PROPERTY];
  if (text === undefined) return null;
  const parsed = stateText.safeParse(parseOrNull(text));
  if (!parsed.success) return null;
  const { published } = parsed.data;
  const lineage = mainLineage(metadata);
  const holds =
    published === null ? lineage.snapshots.length === 0 : descent(lineage, published) === 'descends';
  return holds ? parsed.data : null;
}

/** The text of the property `lake.state`. */
export function stateOf(state: ModelState): string {
  const { published } = state;
  const snapshot = published === null ? null : { ...published, snapshotId: String(published.snapshotId) };
  return JSON.stringify({ ...state, published: snapshot });
}

/**
 * True if so many snapshots have come since what is remembered that expiry could cut the way back to it: a parent's
 * id outlives the parent, a grandparent's does not.
 */
export function isFarBehind(metadata: TableMetadata, remembered: RememberedSnapshot | null): boolean {
  if (remembered === null) return false;
  return (stepsBack(mainLineage(metadata), remembered.snapshotId) ?? Number.POSITIVE_INFINITY) > 1;
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
