import type { TieringRun } from '../tiering/tiering-context.ts';
import type { LocationMarks } from './location-marks.ts';

/**
 * Clears what moves still have in hand: journaled paths of running moves, and retired objects, which the ledger deletes.
 * The ledger leaves those of dropped tables alone: once their grace has passed they are nobody's.
 *
 * @param tables uuids of the tables that are there
 * @returns prefixes below which running moves make objects
 */
export async function clearProtected(
  run: TieringRun,
  marks: LocationMarks,
  tables: ReadonlySet<string>,
): Promise<string[]> {
  const prefixes: string[] = [];
  // Before the ledger: a move that is swapped in between then stands in the ledger.
  for (const { 'relocation-id': id, plan } of await run.journal.relocationsIn('copying')) {
    prefixes.push(...plan.prefixes);
    for await (const { from, to } of run.journal.moves(id)) {
      marks.clear(from);
      marks.clear(to);
    }
  }
  for await (const { entries, 'now-ms': catalogNowMs } of run.journal.ledgerPages()) {
    const nowMs = Math.min(run.clock.now(), catalogNowMs ?? Number.POSITIVE_INFINITY);
    for (const entry of entries) {
      const isNobodys = !tables.has(entry['table-uuid']) && entry['delete-after-ms'] <= nowMs;
      if (!isNobodys) marks.clear(entry.location);
    }
  }
  return prefixes;
}
