import type { LoadedTable } from '../catalog-client/catalog.ts';
import { gcEnabled } from '../iceberg/gc-enabled.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { LakeContext } from '../table/context.ts';
import { readManifestContent } from '../table/manifests.ts';
import { allStanding } from './all-tables.ts';
import { readDropped } from './dropped-table.ts';
import { ownFiles } from './movable.ts';
import { normalLocation } from './normal-location.ts';
import { readStanding } from './standing-table.ts';
import { distinctManifests, hasLiveFiles, historyOf } from './table-history.ts';

/** The proof that comes before a deletion. */
export interface LiveReferences {
  /** The candidates that some live snapshot of any table names. */
  readonly named: ReadonlySet<string>;
  /**
   * The tables that were read and whose files may be deleted, by uuid. What belonged to any other (renamed just now, dropped, with
   * `gc.enabled=false`) must stay.
   */
  readonly tables: ReadonlyMap<string, TableHome>;
}

/** Where a table's own files lie. */
export interface TableHome {
  readonly location: string;
  isOwn(location: string): boolean;
}

/**
 * Reads which of `candidates` some live snapshot of any table, dropped ones that can come back included, names. Locations are compared in
 * one spelling.
 *
 * @throws LakeError `corrupt`, `not-found`, `unsupported` where a table cannot be read: then nothing is known of the candidates
 */
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
  const tables = new Map<string, TableHome>();
  if (bySpelling.size === 0) return { named, tables };
  const note = (location: string) => {
    for (const found of bySpelling.get(normalLocation(location)) ?? []) named.add(found);
  };
  for await (const one of allStanding(context.catalog)) {
    if (one.kind === 'untold') continue;
    if (one.kind === 'other') {
      note(one.listed['metadata-location']);
      const dropped = one.listed.kind === 'dropped' ? await readDropped(context.objects, one.listed) : null;
      if (dropped !== null) for await (const location of namedBy(context.objects, dropped)) note(location);
      continue;
    }
    const { table } = await readStanding(context, one.table, async (standing) => {
      for await (const location of namedBy(context.objects, standing)) note(location);
    });
    const { metadata } = table;
    const home = { location: metadata.location, isOwn: ownFiles(metadata) };
    if (gcEnabled(metadata)) tables.set(metadata['table-uuid'], home);
  }
  return { named, tables };
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
    const { entries } = await readManifestContent(objects, manifest, { metrics: false });
    for (const { status, dataFile } of entries) if (status !== 'deleted') yield dataFile.filePath;
  }
}
