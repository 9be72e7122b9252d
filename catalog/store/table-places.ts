import { LakeError } from '../../src/errors.ts';
import type { PlaceOwner, StandingPointer, TablePlace } from './catalog-store.ts';
import { joinLevels, splitLevels } from './namespaces.ts';
import type { Sql } from './sql-database.ts';
import type { Levels } from './table-name.ts';
import { inLists, marks } from './value-lists.ts';

/**
 * The folders that are taken, by their keys (`placeKey`: a slash at the end; text compares by code points). `owner` is `t:` or `v:` and the uuid
 * of a table or view. A table keeps every place that it ever had for as long as it stands or can be brought back: older snapshots lie there.
 */
export const PLACES_SCHEMA = `
CREATE TABLE IF NOT EXISTS table_places (
  place TEXT NOT NULL,
  owner TEXT NOT NULL,
  location TEXT NOT NULL,
  PRIMARY KEY (place, owner)
);
CREATE INDEX IF NOT EXISTS table_places_of_owner ON table_places (owner);
`;

const ownerKey = ({ kind, uuid }: PlaceOwner): string => `${kind === 'table' ? 't' : 'v'}:${uuid}`;

/**
 * Takes places for a table or view, inside the transaction that creates it or changes its location: none may lie in, around or at another's. No
 * other change may come between (see `SqlDatabase.transaction`), or two could take places in each other.
 * Errors: `invalid-argument`.
 *
 * @param heir the namespace of the dropped tables whose places may be inherited (`mayInherit`); null for none
 */
export async function claimPlaces(
  sql: Sql,
  owner: PlaceOwner,
  places: readonly TablePlace[],
  heir: Heir = null,
): Promise<void> {
  const taken = await takenPlace(sql, owner, places, heir);
  if (taken !== null) throw meetsAnother(taken);
  await notePlaces(sql, owner, places);
}

/** Notes places, without a check, of what stood before places were kept; nothing for what does not stand any more. */
export async function addPlaces(sql: Sql, owner: PlaceOwner, places: readonly TablePlace[]): Promise<void> {
  const standing = await sql.get(
    owner.kind === 'view'
      ? 'SELECT 1 AS found FROM views WHERE uuid = ?1'
      : "SELECT 1 AS found FROM tables WHERE uuid = ?1 UNION ALL SELECT 1 FROM dropped_tables WHERE uuid = ?1 AND state <> 'purged'",
    owner.uuid,
  );
  if (standing !== undefined) await notePlaces(sql, owner, places);
}

async function notePlaces(sql: Sql, owner: PlaceOwner, places: readonly TablePlace[]): Promise<void> {
  for (const { place, location } of places) {
    await sql.run(
      'INSERT INTO table_places VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      place,
      ownerKey(owner),
      location,
    );
  }
}

/** When nothing of it is left to be read. */
export async function releasePlaces(sql: Sql, owner: PlaceOwner): Promise<void> {
  await sql.run('DELETE FROM table_places WHERE owner = ?', ownerKey(owner));
}

/** True if another table or view has a place of this one: it was dropped, and the other made there since. */
export async function hasLostPlace(sql: Sql, owner: PlaceOwner): Promise<boolean> {
  const other = await sql.get(
    `SELECT 1 AS found FROM table_places AS own JOIN table_places AS other ON other.place = own.place
     WHERE own.owner = ? AND other.owner <> own.owner LIMIT 1`,
    ownerKey(owner),
  );
  return other !== undefined;
}

/** The locations that a table or view has or had, as they were given. */
export async function placesOf(sql: Sql, owner: PlaceOwner): Promise<readonly string[]> {
  const rows = await sql.all(
    'SELECT location FROM table_places WHERE owner = ? ORDER BY place',
    ownerKey(owner),
  );
  return rows.map((row) => String(row['location']));
}

/** The namespace of the dropped tables that a place may be inherited from. */
type Heir = Levels | 'any' | null;

/** The first of `places` that lies in, around or at a place of another; null if none does. */
export async function takenPlace(
  sql: Sql,
  owner: PlaceOwner,
  places: readonly TablePlace[],
  heir: Heir = null,
): Promise<TablePlace | null> {
  for (const one of places) {
    const others =
      (await isNear(sql, owner, one.place, one.mayInherit === true ? heir : null)) ||
      (await isNamedAfter(sql, owner, one.uuids));
    if (others) return one;
  }
  if (places.length === 0 || owner.kind === 'view' || (await placesOf(sql, owner)).length > 0) return null;
  // Its folders in the tiers end in its uuid: nobody may sit there already.
  const tail = `%-${owner.uuid}/%`;
  const squatter = await sql.get(
    'SELECT 1 AS found FROM table_places WHERE owner <> ? AND place LIKE ?',
    ownerKey(owner),
    tail,
  );
  return squatter === undefined ? null : (places[0] ?? null);
}

/** At, above or below a place of another. */
async function isNear(sql: Sql, owner: PlaceOwner, place: string, heir: Heir): Promise<boolean> {
  const key = ownerKey(owner);
  const inherited = `AND NOT (place = ? AND EXISTS (SELECT 1 FROM dropped_tables WHERE uuid = substr(table_places.owner, 3)
    AND state = 'dropped' ${heir === 'any' ? '' : 'AND namespace = ?'}))`;
  const inheritedBy = heir === null ? [] : heir === 'any' ? [place] : [place, joinLevels(heir)];
  // `0` follows `/`: all that begins with the place lies before it.
  const below = await sql.get(
    `SELECT 1 AS found FROM table_places WHERE place >= ? AND place < ? AND owner <> ?
     ${heir === null ? '' : inherited} LIMIT 1`,
    place,
    `${place.slice(0, -1)}0`,
    key,
    ...inheritedBy,
  );
  if (below !== undefined) return true;
  for (const list of inLists(foldersAbove(place))) {
    const found = await sql.get(
      `SELECT 1 AS found FROM table_places WHERE owner <> ? AND place IN (${marks(list)}) LIMIT 1`,
      key,
      ...list,
    );
    if (found !== undefined) return true;
  }
  return false;
}

function foldersAbove(place: string): readonly string[] {
  const names = place.split('/');
  return names.slice(1, -1).map((_, at) => `${names.slice(0, at + 1).join('/')}/`);
}

/** True if one of the uuids is of another table, be it dropped: `<tier>/…/<table>-<uuid>` is where a move may put its files. */
async function isNamedAfter(sql: Sql, owner: PlaceOwner, uuids: readonly string[]): Promise<boolean> {
  for (const list of inLists(uuids.filter((uuid) => uuid !== owner.uuid.toLowerCase()))) {
    const named = marks(list);
    const found = await sql.get(
      `SELECT 1 AS found FROM tables WHERE lower(uuid) IN (${named})
       UNION ALL SELECT 1 FROM dropped_tables WHERE state <> 'purged' AND lower(uuid) IN (${named})`,
      ...list,
      ...list,
    );
    if (found !== undefined) return true;
  }
  return false;
}

/** What stands without a place: from before places were kept. */
export async function unplaced(sql: Sql): Promise<readonly StandingPointer[]> {
  const rows = await sql.all(
    `SELECT kind, namespace, name, uuid, metadata_location FROM (
       SELECT 'table' AS kind, 't:' || uuid AS owner, namespace, name, uuid, metadata_location FROM tables
       UNION ALL SELECT 'view', 'v:' || uuid, namespace, name, uuid, metadata_location FROM views
       UNION ALL SELECT 'dropped', 't:' || uuid, namespace, name, uuid, metadata_location FROM dropped_tables
         WHERE state <> 'purged') AS standing
     WHERE NOT EXISTS (SELECT 1 FROM table_places WHERE table_places.owner = standing.owner)
     ORDER BY uuid`,
  );
  return rows.map((row) => ({
    namespace: splitLevels(String(row['namespace'])),
    name: String(row['name']),
    uuid: String(row['uuid']),
    metadataLocation: String(row['metadata_location']),
    kind: row['kind'] === 'table' || row['kind'] === 'view' ? row['kind'] : 'dropped',
  }));
}

/** The answer to somebody who asks for a place of another. It does not say whose: they may not know of it. */
export function meetsAnother({ location }: TablePlace): LakeError {
  return new LakeError(
    'invalid-argument',
    `${location} lies in, around or at the location of another table or view`,
    {
      where: location,
      hint: 'Nothing was changed: choose another location, or none (the catalog then makes one). Dropped tables that can be brought back, and former locations of tables, count too.',
    },
  );
}
