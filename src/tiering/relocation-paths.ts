import { createHash } from 'node:crypto';
import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { Tier } from '../config.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { tablePath } from '../storage/location.ts';
import { ownFiles } from './movable.ts';

/** Where a table's objects lie in the tiers. The only module of tiering that puts paths together. */
export interface TablePlaces {
  readonly dataFolder: string;
  readonly metadataFolder: string;
  /** The table's prefix in a tier: `<tier>/<namespace>/<table>-<uuid>`. */
  tierPrefix(tier: Tier): string;
  /** True for a file in a folder of the table's own. */
  isOwn(location: string): boolean;
}

/** What an earlier move put in front of a path: its id and, for rewritten deletes, their attempt. */
const RELOCATION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/(deletes-[0-9a-f]{8}\/)?/;

/** The places of a table, by its metadata and name. */
export function placesOf(identifier: TableIdentifier, metadata: TableMetadata): TablePlaces {
  const folder = (property: string, name: string) =>
    withoutSlash(metadata.properties[property] ?? `${withoutSlash(metadata.location)}/${name}`);
  const below = tablePath(identifier, metadata['table-uuid']);
  return {
    dataFolder: folder('write.data.path', 'data'),
    metadataFolder: folder('write.metadata.path', 'metadata'),
    tierPrefix: (tier) => `${tier.location}/${below}`,
    isOwn: ownFiles(metadata),
  };
}

/**
 * The new path of a file: `<table's prefix in the tier>/<relocation id>/<path below the table's data folder>`.
 * A file from a place that the table does not know keeps its name below a hash of its folder.
 */
export function relocatedPath(
  location: string,
  places: TablePlaces,
  tiers: readonly Tier[],
  target: Tier,
  relocationId: string,
): string {
  return `${relocationFolder(places, target, relocationId)}${pathBelow(location, places, tiers)}`;
}

/**
 * The new path of a rewritten delete file. It is no copy, so each attempt (a UUID) has a folder of its own: a
 * path that an interrupted attempt journaled is never used again.
 */
export function rewrittenDeletePath(
  location: string,
  places: TablePlaces,
  tiers: readonly Tier[],
  target: Tier,
  ids: { readonly relocation: string; readonly attempt: string },
): string {
  const folder = relocationFolder(places, target, ids.relocation);
  return `${folder}deletes-${ids.attempt.slice(0, 8)}/${pathBelow(location, places, tiers)}`;
}

/** Everything that a relocation makes in a tier lies below this prefix (with a trailing slash). */
export function relocationFolder(places: TablePlaces, tier: Tier, relocationId: string): string {
  return `${places.tierPrefix(tier)}/${relocationId}/`;
}

/** Everything that a relocation makes among the table's metadata has names that start so. */
export function relocationMetadataPrefix(places: TablePlaces, relocationId: string): string {
  return `${places.metadataFolder}/${relocationId}-`;
}

function pathBelow(location: string, places: TablePlaces, tiers: readonly Tier[]): string {
  if (location.startsWith(`${places.dataFolder}/`)) return location.slice(places.dataFolder.length + 1);
  for (const tier of tiers) {
    const prefix = `${places.tierPrefix(tier)}/`;
    const rest = location.startsWith(prefix) ? location.slice(prefix.length) : '';
    if (RELOCATION_ID.test(rest)) return rest.replace(RELOCATION_ID, '');
  }
  const cut = location.lastIndexOf('/');
  const folder = createHash('sha256').update(location.slice(0, cut)).digest('hex').slice(0, 16);
  return `${folder}${location.slice(cut)}`;
}

function withoutSlash(location: string): string {
  return location.replace(/\/+$/, '');
}
