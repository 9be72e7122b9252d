import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';

/** Properties that put files of a table beside its location. */
export const PATH_PROPERTIES = [
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.path',
  'write.folder-storage.path',
] as const;

/**
 * One text for all spellings of a location (`file:/p`, `file:///p`, `/p`; `s3a://`, `s3n://`; doubled slashes). It may be the same for two
 * objects, never different for one: good for finding out that somebody names an object, not for reading it.
 */
export function objectOf(location: string): string {
  const spelled = location.startsWith('/') ? `file:${location}` : location;
  const colon = spelled.indexOf(':');
  const scheme = spelled.slice(0, Math.max(0, colon)).toLowerCase();
  const rest = spelled
    .slice(colon + 1)
    .replace(/^\/*/, '')
    .replaceAll(/\/+/g, '/');
  return `${scheme === 's3a' || scheme === 's3n' ? 's3' : scheme}:${rest}`;
}

/**
 * True for a location below the table's own folders: its location, the paths of its properties, and in a tier the folder that ends in its
 * uuid. A file that lies elsewhere (added in place, shared) may belong to somebody that this catalog does not know.
 */
export function liesInOwnFolders(metadata: TableMetadata): (location: string) => boolean {
  const folders = [
    metadata.location,
    ...PATH_PROPERTIES.flatMap((path) => metadata.properties[path] ?? []),
  ].map((folder) => `${objectOf(folder).replace(/\/$/, '')}/`);
  const tierFolder = `-${metadata['table-uuid']}/`;
  return (location) => {
    const object = objectOf(location);
    if (object.split('/').includes('..')) return false;
    return folders.some((folder) => object.startsWith(folder)) || object.includes(tierFolder);
  };
}
