import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { Tier } from '../config.ts';
import { LakeError } from '../errors.ts';
import { gcEnabled } from '../iceberg/gc-enabled.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { tableName } from '../table/table.ts';
import { normalLocation } from './normal-location.ts';

/** Table properties that lead files elsewhere (`write.object-storage.path` and the like are of older writers). */
export const PATH_PROPERTIES = [
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.path',
  'write.folder-storage.path',
] as const;

/** Why a file of a table stays where it is, whatever its policy says. */
export const FOREIGN_FILE = "lies outside the lake's tiers";

/** Where a project's files lie. */
export interface LakePlaces {
  readonly tiers: readonly Tier[];
  readonly warehouse?: string;
}

/** Why a table is not moved, and what to do about it. */
interface MoveRefusal {
  readonly why: string;
  readonly hint: string;
}

/** True for a location below one of the tiers or the warehouse. Pure. */
export function liesInLake({ tiers, warehouse }: LakePlaces, location: string): boolean {
  const places = [...tiers.map((tier) => tier.location), ...(warehouse === undefined ? [] : [warehouse])];
  return isBelow(places)(location);
}

/**
 * Tells a table's own files: below its location, the folders of its properties, or a folder that ends in its uuid, as its prefixes in the
 * tiers do. A file elsewhere was added in place: others may read it that this catalog does not know. Pure.
 */
export function ownFiles(
  metadata: Pick<TableMetadata, 'location' | 'properties' | 'table-uuid'>,
): (location: string) => boolean {
  const named = PATH_PROPERTIES.flatMap((property) => metadata.properties[property] ?? []);
  const isInFolders = isBelow([metadata.location, ...named]);
  const folder = `-${metadata['table-uuid']}/`;
  return (location) => {
    if (location.split('/').includes('..')) return false;
    return location.includes(folder) || isInFolders(location);
  };
}

/** Why a table is not moved as it is; null if it can be. Pure. */
export function moveRefusal(places: LakePlaces, metadata: TableMetadata): MoveRefusal | null {
  const version = metadata['format-version'];
  if (version === 1) {
    return { why: 'tables of format v1 are not moved', hint: 'upgrade the table to format v2 first' };
  }
  if (version !== 2) {
    const hint = 'exclude the table from policies with transitions; nothing was moved';
    return { why: `this version does not move tables of format v${version}`, hint };
  }
  if (!gcEnabled(metadata)) {
    const why = 'its property gc.enabled is false: its files may belong to other tables too';
    return { why, hint: 'a move would delete the old ones; set gc.enabled to true if they are its own' };
  }
  if (liesInLake(places, metadata.location)) return null;
  return {
    why: `its location ${metadata.location} lies outside the tiers and the warehouse of lake.yaml`,
    hint: 'a project folder that was copied still names the files of the first one; a move would delete those',
  };
}

/** Throws `unsupported` for a table that is not moved. */
export function refuseUnmovable(places: LakePlaces, { identifier, metadata }: LoadedTable): void {
  const refusal = moveRefusal(places, metadata);
  if (refusal === null) return;
  const where = tableName(identifier);
  throw new LakeError('unsupported', `${where}: ${refusal.why}`, { where, hint: refusal.hint });
}

function isBelow(folders: readonly string[]): (location: string) => boolean {
  const prefixes = folders.map((folder) => `${normalLocation(folder).replace(/\/+$/, '')}/`);
  return (location) => {
    const normal = `${normalLocation(location).replace(/\/+$/, '')}/`;
    return prefixes.some((prefix) => normal.startsWith(prefix));
  };
}
