import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';

/** An identifier in double quotes. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A string literal. */
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The name a table's view has in SQL: `"ns"."table"`, a nested namespace's levels joined by dots: `"a.b"."table"`. */
export const viewName = (identifier: TableIdentifier): string =>
  `${quoteName(identifier.namespace.join('.'))}.${quoteName(identifier.name)}`;

/** True for locations of the local disk. */
export const isLocalLocation = (location: string): boolean => /^(file:\/|\/)/i.test(location);

/**
 * The local path of a `file://` location, as the engine opens it (raw: nothing is percent-decoded).
 * Errors: `unsupported` for other schemes.
 */
export function localDataPath(location: string): string {
  if (location.startsWith('file:///')) return location.slice('file://'.length);
  if (location.startsWith('file:/')) return location.slice('file:'.length);
  if (location.startsWith('/')) return location;
  throw new LakeError('unsupported', `This engine was opened without a store for ${location}`, {
    where: location,
    hint: 'Add the location to the tiers in lake.yaml, with its storage.',
  });
}
