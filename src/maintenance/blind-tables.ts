import type { LakeError } from '../errors.ts';
import type { TieringRun } from '../tiering/tiering-context.ts';
import type { Proof } from './references.ts';
import { type PlacedTable, PlaceOwners, tablePlaces } from './table-places.ts';

/**
 * The tables among `placed` that share a folder with one that cannot be read, by uuid with the reason: it may name their files. Where the
 * metadata file of a dropped table is damaged, its folders are not known, and all are held. Pure.
 */
export function heldByUnreadable(
  run: Pick<TieringRun, 'tiers'>,
  placed: readonly PlacedTable[],
  { unreadable }: Pick<Proof, 'unreadable'>,
): Map<string, LakeError> {
  const held = new Map<string, LakeError>();
  if (unreadable.size === 0) return held;
  const there = new Set(placed.map(({ table }) => table.metadata['table-uuid']));
  const dropped = [...unreadable].flatMap(([uuid, { table }]) =>
    table === null || there.has(uuid) ? [] : [{ table, places: tablePlaces(table, run.tiers, []) }],
  );
  const owners = new PlaceOwners([...placed, ...dropped]);
  const placeless = [...unreadable.values()].find(({ table }) => table === null)?.error;
  for (const one of placed) {
    const blind = [...owners.sharing(one).keys()].find((other) => unreadable.has(other));
    const error = (blind === undefined ? undefined : unreadable.get(blind)?.error) ?? placeless;
    if (error !== undefined) held.set(one.table.metadata['table-uuid'], error);
  }
  return held;
}
