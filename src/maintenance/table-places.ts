import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { Tier } from '../config.ts';
import type { Relocation } from '../tiering/journal.ts';
import { PATH_PROPERTIES } from '../tiering/movable.ts';
import { normalLocation } from '../tiering/normal-location.ts';
import { placesOf } from '../tiering/relocation-paths.ts';

/** The folders in which a table's objects lie: spelled as the table has them, and in one spelling for comparison. */
export type Places = ReadonlyMap<string, string>;

/** A table with its places. */
export interface PlacedTable {
  readonly table: LoadedTable;
  readonly places: Places;
}

/**
 * Where a table's objects lie: its location, the folders that its properties name, its prefix in each tier, and
 * where moves under an earlier name of it have put files. Keys are in one spelling, without a slash at the end. Pure.
 */
export function tablePlaces(
  table: LoadedTable,
  tiers: readonly Tier[],
  relocations: readonly Relocation[],
): Places {
  const { identifier, metadata } = table;
  const named = PATH_PROPERTIES.flatMap((property) => metadata.properties[property] ?? []);
  const inTiers = tiers.map((tier) => placesOf(identifier, metadata).tierPrefix(tier));
  const moved = relocations
    .filter((one) => one['table-uuid'] === metadata['table-uuid'])
    .flatMap(({ plan, 'relocation-id': id }) =>
      plan.prefixes.map((prefix) => prefix.split(`/${id}`)[0] ?? ''),
    );
  const all = [metadata.location, ...named, ...inTiers, ...moved];
  return new Map(all.filter((place) => place !== '').map((place) => [placeKey(place), withoutSlash(place)]));
}

/** A folder in the spelling in which places are compared. */
export function placeKey(location: string): string {
  return withoutSlash(normalLocation(location));
}

/** The folder and those above it, the nearest first, as keys. */
export function* upwards(key: string): Generator<string, void> {
  const top = key.indexOf('://') + 3;
  for (let at = key.length; at > top; at = key.lastIndexOf('/', at - 1)) yield key.slice(0, at);
}

/** Which table a folder belongs to; finds the owner of an object by the folders above it. */
export class PlaceOwners {
  readonly #owners = new Map<string, Set<string>>();
  /** Folders above a place, with the tables whose places lie below. */
  readonly #below = new Map<string, Set<string>>();

  constructor(tables: readonly PlacedTable[]) {
    for (const { table, places } of tables) {
      const uuid = table.metadata['table-uuid'];
      for (const key of places.keys()) {
        addTo(this.#owners, key, uuid);
        for (const above of upwards(key)) addTo(this.#below, above, uuid);
      }
    }
  }

  /** The uuid of the table in whose nearest place an object lies; undefined if it is nobody's. */
  ownerOf(location: string): string | undefined {
    for (const folder of upwards(placeKey(location))) {
      for (const owner of this.#owners.get(folder) ?? []) return owner;
    }
    return undefined;
  }

  /** Other tables that have a place at, above or below one of these, by uuid, with the place of this one. */
  sharing({ table, places }: PlacedTable): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [key, place] of places) {
      for (const uuid of this.#below.get(key) ?? []) found.set(uuid, place);
      for (const above of upwards(key)) {
        for (const uuid of this.#owners.get(above) ?? []) found.set(uuid, place);
      }
    }
    found.delete(table.metadata['table-uuid']);
    return found;
  }
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function withoutSlash(location: string): string {
  return location.replace(/\/+$/, '');
}
