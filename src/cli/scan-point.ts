import { isKind, LakeError } from '../errors.ts';
import { resolveSnapshot } from '../table/resolve-snapshot.ts';
import type { ScanOptions } from '../table/scan.ts';
import type { Table } from '../table/table.ts';

/**
 * What `--as-of` means for one table: a snapshot id, time, branch or tag; without it the current state.
 *
 * @throws LakeError `not-found`, naming the table and the nearest name
 */
export function scanPoint(table: Table, asOf: string | undefined): ScanOptions {
  if (asOf === undefined) return {};
  try {
    return resolveSnapshot(table.metadata, asOf).scan;
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw new LakeError('not-found', `${table.name}: ${error.message}.`, {
      cause: error,
      hint: [error.hint, `\`lake table history ${table.name}\` shows all snapshots.`]
        .filter(Boolean)
        .join(' '),
    });
  }
}
