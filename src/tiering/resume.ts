import { isKind } from '../errors.ts';
import { tableName } from '../table/table.ts';
import { carryOut, type RelocationResult, rollBack } from './executor.ts';
import type { JournaledMove, PastRelocation, Relocation } from './journal.ts';
import { acquireLease, type HeldLease, underLease } from './lease.ts';
import { tryRemoveLeftovers } from './ledger.ts';
import { moveRefusal } from './movable.ts';
import type { TieringRun } from './tiering-context.ts';

/** As long as unreferenced files are left alone by `lake orphans`. */
const LATE_COPY_MS = 24 * 3_600_000;

/**
 * Finishes what interrupted runs left: a relocation in state `copying` goes on, or is rolled back where its
 * journal is not whole or its table is gone or not to be moved, and is left alone while another run that is alive works on it; after a swap only leftovers are removed. A day after it began, one that was rolled
 * back is `cleaned` and not looked at again.
 */
export async function resumeRelocations(run: TieringRun): Promise<RelocationResult[]> {
  const results: RelocationResult[] = [];
  for (const relocation of await run.journal.relocationsIn('copying')) {
    const name = tableName({ namespace: relocation.namespace, name: relocation.table });
    const table = { uuid: relocation['table-uuid'], name };
    const acquired = await acquireUnlessHeld(run, table);
    if (acquired === null) continue;
    const result = await underLease(run, table, acquired, (lease) => resumeOne(run, relocation, lease));
    if (result !== null) results.push(result);
  }
  const rolledBack = await run.journal.relocationsIn('rolled-back');
  const ended = [...(await run.journal.relocationsIn('swapped')), ...rolledBack];
  if (await tryRemoveLeftovers(run, ended)) await closeRolledBack(run, rolledBack);
  return results;
}

/** Null, with a warning, if a run that is alive moves the table: its relocation is not interrupted, and holds nobody else up. */
async function acquireUnlessHeld(run: TieringRun, table: { uuid: string; name: string }) {
  try {
    return await acquireLease(run, table);
  } catch (error) {
    if (!isKind(error, 'conflict')) throw error;
    run.warn(`${error.message}: its relocation is left to it`);
    return null;
  }
}

/** A copy that was under way when its run was rolled back may land later: only an old relocation has nothing more to come. */
async function closeRolledBack(run: TieringRun, rolledBack: readonly PastRelocation[]): Promise<void> {
  for (const relocation of rolledBack) {
    if (relocation['created-at-ms'] + LATE_COPY_MS > run.clock.now()) continue;
    await run.journal.setState(relocation['relocation-id'], 'cleaned');
  }
}

async function resumeOne(
  run: TieringRun,
  { 'relocation-id': id }: Relocation,
  lease: HeldLease,
): Promise<RelocationResult | null> {
  // Read anew under the lease: the run that held it before may have come further.
  const relocation = await run.journal.relocation(id);
  if (relocation.state !== 'copying') return null;
  const moves: JournaledMove[] = [];
  for await (const move of run.journal.moves(id)) if (move.kind === 'data') moves.push(move);
  const isWhole = moves.length >= relocation.plan['data-files'];
  if (!isWhole || (await isToBeTakenBack(run, relocation))) return rollBack(run, relocation, lease);
  return carryOut(run, relocation, moves, lease);
}

/** Whether the table is gone, or is one that is not moved any more. */
async function isToBeTakenBack(run: TieringRun, relocation: Relocation): Promise<boolean> {
  try {
    const { metadata } = await run.catalog.loadTable({
      namespace: relocation.namespace,
      name: relocation.table,
    });
    if (metadata['table-uuid'] !== relocation['table-uuid']) return true;
    const refusal = moveRefusal(run, metadata);
    if (refusal !== null) run.warn(`${relocation.table}: an interrupted move is taken back: ${refusal.why}`);
    return refusal !== null;
  } catch (error) {
    if (isKind(error, 'not-found')) return true;
    throw error;
  }
}
