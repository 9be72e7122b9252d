import { isKind } from '../errors.ts';
import { tableName } from '../table/table.ts';
import { carryOut, type RelocationResult, rollBack } from './executor.ts';
import type { JournaledMove, Relocation } from './journal.ts';
import { type HeldLease, withLease } from './lease.ts';
import { removeLeftovers } from './ledger.ts';
import type { TieringRun } from './tiering-context.ts';

/**
 * Finishes what interrupted runs left: a relocation in state `copying` goes on, or is rolled back where its
 * journal is not whole or its table is gone; after a swap only leftovers are removed.
 */
export async function resumeRelocations(run: TieringRun): Promise<RelocationResult[]> {
  const results: RelocationResult[] = [];
  for (const relocation of await run.journal.relocationsIn('copying')) {
    const name = tableName({ namespace: relocation.namespace, name: relocation.table });
    const result = await withLease(run, { uuid: relocation['table-uuid'], name }, (lease) =>
      resumeOne(run, relocation, lease),
    );
    if (result !== null) results.push(result);
  }
  const ended = [await run.journal.relocationsIn('swapped'), await run.journal.relocationsIn('rolled-back')];
  await removeLeftovers(run, ended.flat());
  return results;
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
  if (moves.length < relocation.plan['data-files'] || (await isTableGone(run, relocation))) {
    return rollBack(run, relocation, lease);
  }
  return carryOut(run, relocation, moves, lease);
}

async function isTableGone(run: TieringRun, relocation: Relocation): Promise<boolean> {
  try {
    const { metadata } = await run.catalog.loadTable({
      namespace: relocation.namespace,
      name: relocation.table,
    });
    return metadata['table-uuid'] !== relocation['table-uuid'];
  } catch (error) {
    if (isKind(error, 'not-found')) return true;
    throw error;
  }
}
