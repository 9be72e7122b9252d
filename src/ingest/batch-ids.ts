import { LakeError } from '../errors.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';

const PREFIX = 'lake.batch.';
const BATCH_ID = /^[\w.:@+=/-]{1,200}$/;

/** Table property: for so long, in ms, a table remembers a batch. */
const RETENTION = `${PREFIX}retention-ms`;
const DEFAULT_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;
/** So many are forgotten in one commit at most: a commit stays small. */
const MOST_FORGOTTEN = 1000;

/** What a table remembers of a batch. */
export interface BatchRecord {
  readonly snapshotId: bigint | null;
  readonly rows: number;
  readonly quarantined: number;
  /** When it was committed, in ms since 1970. */
  readonly committedMs: number;
}

/** Errors: `usage` for an id that is empty, too long, of other than letters, digits and `_ . : @ + = / -`, or the name of the retention. */
export function checkBatchId(id: string): void {
  if (BATCH_ID.test(id) && PREFIX + id !== RETENTION) return;
  throw new LakeError('usage', `${JSON.stringify(id)} is no batch id`, {
    hint: 'Write 1 to 200 letters, digits and _ . : @ + = / -, such as orders-2026-11-20.',
  });
}

/**
 * What the table remembers of a batch; null if it was never committed to it, or is forgotten. A batch is remembered in the table's properties, which outlive its snapshot: expiry, rollback and the end of
 * a branch forget none.
 */
export function knownBatch(metadata: TableMetadata, id: string): Omit<BatchRecord, 'committedMs'> | null {
  const text = metadata.properties[PREFIX + id];
  if (text === undefined) return null;
  const [snapshot = '', rows = '', quarantined = ''] = text.split(' ');
  return {
    snapshotId: DIGITS.test(snapshot) ? BigInt(snapshot) : null,
    rows: numberIn(rows) ?? 0,
    quarantined: numberIn(quarantined) ?? 0,
  };
}

const DIGITS = /^\d+$/;
const numberIn = (text: string): number | null => (DIGITS.test(text) ? Number(text) : null);

/** The property that makes a table remember a batch: about 60 bytes, until `forgottenBatches` names it. */
export function batchProperty(id: string, batch: BatchRecord): Readonly<Record<string, string>> {
  const { snapshotId, rows, quarantined, committedMs } = batch;
  return { [PREFIX + id]: `${snapshotId ?? '-'} ${rows} ${quarantined} ${committedMs}` };
}

/** For how many ms a table remembers its batches: `lake.batch.retention-ms`, default 30 days. Errors: `invalid-argument` if it is no whole number above 0. */
export function batchRetentionMs(metadata: TableMetadata): number {
  const text = metadata.properties[RETENTION];
  if (text === undefined) return DEFAULT_RETENTION_MS;
  const retention = numberIn(text.trim());
  if (retention !== null && retention > 0) return retention;
  throw new LakeError(
    'invalid-argument',
    `The table property ${RETENTION} is ${JSON.stringify(text)}: not a number of milliseconds`,
    { hint: `Nothing was committed. Set it to a whole number above 0 (30 days: ${DEFAULT_RETENTION_MS}).` },
  );
}

/** Properties of batches committed longer ago than the table remembers them, the oldest first; at most 1,000. A record without its time is kept. */
export function forgottenBatches(metadata: TableMetadata, nowMs: number): string[] {
  const before = nowMs - batchRetentionMs(metadata);
  const aged: { readonly key: string; readonly at: number }[] = [];
  for (const [key, text] of Object.entries(metadata.properties)) {
    if (!key.startsWith(PREFIX) || key === RETENTION) continue;
    const at = numberIn(text.split(' ')[3] ?? '');
    if (at !== null && at < before) aged.push({ key, at });
  }
  aged.sort((a, b) => a.at - b.at);
  return aged.slice(0, MOST_FORGOTTEN).map(({ key }) => key);
}
