import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { joinLocation, plainLocation, tablePath } from '../../src/storage/location.ts';
import { parseS3, type S3Location } from '../../src/storage/s3-location.ts';
import { foldersOf } from '../service/location-rules.ts';
import { objectProblem, restBelow } from '../service/place.ts';
import type { TablePlaces } from '../service/table-places.ts';
import type { TableName } from '../store/catalog-store.ts';

/** Where a tier begins. */
export interface TierPrefix {
  readonly location: string;
}

/** A folder of S3 that is a table's own. */
export interface OwnFolder extends S3Location {
  /** As the table's metadata spells it: `s3a://` and the like count as they stand there. */
  readonly location: string;
}

/** A table with its current metadata. */
export interface NamedTable {
  readonly table: TableName;
  readonly metadata: TableMetadata;
}

/**
 * All folders on S3 in which a table's objects may lie: its location and the paths of its properties, former ones too, as older snapshots lie there;
 * in each tier the folder that moves fill. None lies in another. Errors: `invalid-argument` for a table, from before locations were checked, that lies
 * outside of what is allowed or shares a folder with another: nobody gets at that one through it.
 */
export async function ownFolders(
  places: TablePlaces,
  tiers: readonly TierPrefix[],
  { table, metadata }: NamedTable,
): Promise<readonly OwnFolder[]> {
  const owner = { kind: 'table', uuid: metadata['table-uuid'] } as const;
  const named = foldersOf(metadata).map(({ location }) => location);
  const below = tablePath(table, owner.uuid);
  const inTiers = tiers.map((tier) => joinLocation(tier.location, below));
  const known = await places.of(owner);
  const folders = outermost([...named, ...inTiers, ...known].filter(isOnS3).map(withoutSlash));
  await places.requireAlone(owner, folders);
  return folders.map((location) => ({ ...parseS3(location), location }));
}

/** True for an object in one of the folders. */
export function liesIn(folders: readonly OwnFolder[], bucket: string, key: string): boolean {
  return folders.some((folder) => {
    const rest = restBelow(folder.location, `s3://${bucket}/${key}`);
    return rest !== null && objectProblem(rest) === null;
  });
}

/** True if all objects whose keys begin with `prefix` lie in one of the folders. */
export function coversListing(folders: readonly OwnFolder[], bucket: string, prefix: string): boolean {
  return folders.some((folder) => {
    const start = folder.key === '' ? '' : `${folder.key}/`;
    if (folder.bucket !== bucket || !prefix.startsWith(start)) return false;
    const rest = prefix.slice(start.length).replace(/\/$/, '');
    return rest === '' || objectProblem(rest) === null;
  });
}

function outermost(locations: readonly string[]): readonly string[] {
  const unique = [...new Map(locations.map((one) => [plainLocation(one), one])).values()];
  return unique.filter((one) => !unique.some((other) => other !== one && restBelow(other, one) !== null));
}

const isOnS3 = (location: string): boolean => /^s3:\/\/[^/]+/.test(plainLocation(location));
const withoutSlash = (location: string): string => location.replace(/\/+$/, '');
