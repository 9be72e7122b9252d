import { allTables } from '../tiering/all-tables.ts';
import type { TieringRun } from '../tiering/tiering-context.ts';
import { type PlacedTable, tablePlaces } from './table-places.ts';

/** Every table of the catalog with its places. Errors: `unavailable`. */
export async function placedTables(run: TieringRun): Promise<PlacedTable[]> {
  const relocations = await run.journal.relocationsOf();
  const placed: PlacedTable[] = [];
  for await (const table of allTables(run.catalog)) {
    placed.push({ table, places: tablePlaces(table, run.tiers, relocations) });
  }
  return placed;
}
