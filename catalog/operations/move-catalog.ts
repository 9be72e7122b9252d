import { rm } from 'node:fs/promises';
import type { Clock } from '../../src/clock.ts';
import { findMaintenance, setMaintenance } from '../store/maintenance.ts';
import type { SqlDatabase } from '../store/sql-database.ts';
import { backUp } from './backup.ts';
import { type RestoreResult, restoreBackup } from './restore.ts';

/**
 * Moves a catalog to another, empty database of either kind, by way of a backup at `path`, which is removed. From before the backup on the old one is in
 * maintenance, so that no commit goes lost between the two, and stays so: who still uses it is told. If the move fails it is as before.
 * Errors: those of `backUp` and `restoreBackup`.
 */
export async function moveCatalog(
  from: SqlDatabase,
  to: SqlDatabase,
  { path, clock }: { readonly path: string; readonly clock: Clock },
): Promise<RestoreResult> {
  const reason = `moved to ${to.where}`;
  const before = await from.transaction(async (sql) => {
    const found = await findMaintenance(sql);
    await setMaintenance(sql, { sinceMs: clock.now(), reason });
    return found;
  });
  try {
    await backUp(from, path, clock);
    return await restoreBackup(to, path);
  } catch (error) {
    await from.transaction((sql) => setMaintenance(sql, before));
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}
