import type { LoadedTable } from '../catalog-client/catalog.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { LakeContext } from '../table/context.ts';
import { readManifestContent } from '../table/manifests.ts';
import { allTables } from './all-tables.ts';
import { distinctManifests, hasLiveFiles, historyOf } from './table-history.ts';

/** The proof that comes before a deletion. */
export interface LiveReferences {
  /** The candidates that some live snapshot of any table names. */
  readonly named: ReadonlySet<string>;
  /** Uuids of the tables that were read. What belonged to any other (renamed just now, dropped) must stay. */
  readonly tables: ReadonlySet<string>;
}

/** Reads which of `candidates` some live snapshot of any table names. Locations are compared in one spelling. */
export async function liveReferences(
  context: Pick<LakeContext, 'catalog' | 'objects'>,
  candidates: Iterable<string>,
): Promise<LiveReferences> {
  const bySpelling = new Map<string, string[]>();
  for (const location of candidates) {
    const spelling = normalLocation(location);
    bySpelling.set(spelling, [...(bySpelling.get(spelling) ?? []), location]);
  }
  const named = new Set<string>();
  const tables = new Set<string>();
  if (bySpelling.size === 0) return { named, tables };
  for await (const table of allTables(context.catalog)) {
    tables.add(table.metadata['table-uuid']);
    for await (const location of namedBy(context.objects, table)) {
      for (const found of bySpelling.get(normalLocation(location)) ?? []) named.add(found);
    }
  }
  return { named, tables };
}

/** A location with one spelling of scheme and slashes: `file:/a//b` and `file:///a/b` are the same object. */
export function normalLocation(location: string): string {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/*/.exec(location);
  const name = (scheme?.[1] ?? 'file').toLowerCase();
  const rest = location
    .slice(scheme?.[0].length ?? 0)
    .replace(/^\/+/, '')
    .replace(/\/{2,}/g, '/');
  return `${name === 's3a' || name === 's3n' ? 's3' : name}://${rest}`;
}

async function* namedBy(objects: ObjectStore, table: LoadedTable): AsyncIterable<string> {
  if (table.metadataLocation !== undefined) yield table.metadataLocation;
  for (const one of table.metadata.statistics ?? []) yield one['statistics-path'];
  for (const one of table.metadata['partition-statistics'] ?? []) yield one['statistics-path'];
  const history = await historyOf(objects, table);
  for (const { snapshot } of history.snapshots) yield snapshot['manifest-list'];
  for (const manifest of distinctManifests(history)) {
    yield manifest.manifestPath;
    if (!hasLiveFiles(manifest)) continue;
    const { entries } = await readManifestContent(objects, manifest);
    for (const { status, dataFile } of entries) if (status !== 'deleted') yield dataFile.filePath;
  }
}
