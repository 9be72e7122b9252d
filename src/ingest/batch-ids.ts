import { LakeError } from '../errors.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';

const PREFIX = 'lake.batch.';
const BATCH_ID = /^[\w.:@+=/-]{1,200}$/;

/** What a table remembers of a batch. */
export interface BatchRecord {
  readonly snapshotId: bigint | null;
  readonly rows: number;
  readonly quarantined: number;
}

/** Errors: `usage` for an id that is empty, too long, or of other than letters, digits and `_ . : @ + = / -`. */
export function checkBatchId(id: string): void {
  if (BATCH_ID.test(id)) return;
  throw new LakeError('usage', `${JSON.stringify(id)} is no batch id`, {
    hint: 'Write 1 to 200 letters, digits and _ . : @ + = / -, such as orders-2026-11-20.',
  });
}

/**
 * What the table remembers of a batch; null if it was never committed to it. A batch is remembered in the table's properties, which outlive its snapshot: expiry, rollback and the end of a branch
 * forget none.
 */
export function knownBatch(metadata: TableMetadata, id: string): BatchRecord | null {
  const text = metadata.properties[PREFIX + id];
  if (text === undefined) return null;
  const [snapshot = '', rows = '', quarantined = ''] = text.split(' ');
  const number = (part: string): number => (/^\d+$/.test(part) ? Number(part) : 0);
  return {
    snapshotId: /^\d+$/.test(snapshot) ? BigInt(snapshot) : null,
    rows: number(rows),
    quarantined: number(quarantined),
  };
}

/** The property that makes a table remember a batch: about 50 bytes, for ever. */
export function batchProperty(id: string, batch: BatchRecord): Readonly<Record<string, string>> {
  return { [PREFIX + id]: `${batch.snapshotId ?? '-'} ${batch.rows} ${batch.quarantined}` };
}
