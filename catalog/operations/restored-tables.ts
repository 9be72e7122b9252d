import { isKind, LakeError } from '../../src/errors.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { MetadataFile, MetadataFiles } from '../service/metadata-files.ts';
import type { CatalogStore, StandingPointer } from '../store/catalog-store.ts';

/**
 * What is off about a table of a restored catalog. `newer`: storage has metadata of commits that came after the backup; `missing`: files that the
 * restored metadata leads to are gone, as after a move between tiers; `unreadable`: its metadata file is gone, or none.
 */
export interface RestoredTableProblem {
  readonly namespace: readonly string[];
  readonly name: string;
  readonly kind: StandingPointer['kind'];
  readonly metadataLocation: string;
  readonly problem: 'newer' | 'missing' | 'unreadable';
  readonly message: string;
  /** The newest metadata file of the table that goes on from the restored one; to be registered. */
  readonly newest?: string;
}

interface Parts {
  readonly store: Pick<CatalogStore, 'allStanding'>;
  readonly objects: ObjectStore;
  readonly files: MetadataFiles;
  readonly viewFiles: { read(location: string): Promise<unknown> };
}

/** A table is known by a few of its newest files: those of commits that were given up may lie among them. */
const CANDIDATES = 20;

/**
 * Looks at the files of every table of a restored catalog: what came after the backup is not in it, and a table whose files have moved since names
 * places that are empty. Yields the tables that need a hand. Errors: `unavailable` if the object store does not answer.
 */
export async function* checkRestored(parts: Parts): AsyncIterable<RestoredTableProblem> {
  for (const pointer of await parts.store.allStanding()) {
    const problem =
      pointer.kind === 'view' ? await checkView(parts, pointer) : await checkTable(parts, pointer);
    if (problem !== null) yield problem;
  }
}

async function checkView(
  { viewFiles }: Parts,
  pointer: StandingPointer,
): Promise<RestoredTableProblem | null> {
  try {
    await viewFiles.read(pointer.metadataLocation);
    return null;
  } catch (error) {
    return unreadable(pointer, error);
  }
}

async function checkTable(parts: Parts, pointer: StandingPointer): Promise<RestoredTableProblem | null> {
  let file: MetadataFile;
  try {
    file = await parts.files.read(pointer.metadataLocation);
  } catch (error) {
    const newest = await newestOf(parts, pointer, null);
    return { ...unreadable(pointer, error), ...(newest === null ? {} : { newest }) };
  }
  const newest = await newestOf(parts, pointer, file);
  const gone = await firstGone(parts.objects, file.metadata);
  if (gone !== null) {
    const message = `${gone} is gone: files of the table have moved or expired since the backup`;
    return { ...named(pointer), problem: 'missing', message, ...(newest === null ? {} : { newest }) };
  }
  if (newest === null) return null;
  return { ...named(pointer), problem: 'newer', message: 'commits came after the backup', newest };
}

function unreadable(pointer: StandingPointer, error: unknown): RestoredTableProblem {
  if (!isKind(error, 'corrupt', 'not-found', 'unsupported')) throw error;
  return { ...named(pointer), problem: 'unreadable', message: error.message };
}

function named({ namespace, name, kind, metadataLocation }: StandingPointer) {
  return { namespace, name, kind, metadataLocation };
}

/** The metadata file that goes on from the restored one by the most commits; null if there is none. */
async function newestOf(
  { objects, files }: Parts,
  pointer: StandingPointer,
  restored: MetadataFile | null,
): Promise<string | null> {
  const folder = pointer.metadataLocation.slice(0, pointer.metadataLocation.lastIndexOf('/') + 1);
  const own = versionOf(pointer.metadataLocation);
  const later: { readonly location: string; readonly version: number }[] = [];
  for await (const page of objects.list(folder)) {
    for (const { location } of page) {
      const version = versionOf(location);
      if (version > own) later.push({ location, version });
    }
    // The newest of what was seen: a table with very many commits has very many files.
    later.sort((a, b) => b.version - a.version).splice(CANDIDATES);
  }
  for (const { location } of later) {
    if (await goesOn(files, location, pointer, restored)) return location;
  }
  return null;
}

async function goesOn(
  files: MetadataFiles,
  location: string,
  pointer: StandingPointer,
  restored: MetadataFile | null,
): Promise<boolean> {
  let metadata: TableMetadata;
  try {
    ({ metadata } = await files.read(location));
  } catch (error) {
    if (error instanceof LakeError && error.kind !== 'unavailable') return false;
    throw error;
  }
  if (metadata['table-uuid'] !== pointer.uuid) return false;
  // The log is cut to its newest entries: of a file that is far ahead it does not lead back to the restored one.
  return restored === null || metadata['last-updated-ms'] >= restored.metadata['last-updated-ms'];
}

/** The number at the start of a metadata file's name; -1 for other files. */
function versionOf(location: string): number {
  const digits = /^v?(\d+)-?[^/]*\.metadata\.json(\.gz)?$/.exec(
    location.slice(location.lastIndexOf('/') + 1),
  );
  return digits === null ? -1 : Number(digits[1]);
}

/** A move rewrites the manifest list of every snapshot: one that is gone tells. Of the current snapshot the manifests are looked for too. */
async function firstGone(objects: ObjectStore, metadata: TableMetadata): Promise<string | null> {
  for (const snapshot of metadata.snapshots) {
    const list = snapshot['manifest-list'];
    if (snapshot['snapshot-id'] !== metadata['current-snapshot-id']) {
      if (!(await objects.exists(list))) return list;
      continue;
    }
    const manifests = await manifestsOf(objects, list);
    if (manifests === null) return list;
    for (const manifest of manifests) if (!(await objects.exists(manifest))) return manifest;
  }
  return null;
}

async function manifestsOf(objects: ObjectStore, list: string): Promise<readonly string[] | null> {
  try {
    const bytes = await objects.get(list);
    return [...readManifestList(bytes)].map(({ manifestPath }) => manifestPath);
  } catch (error) {
    if (isKind(error, 'not-found')) return null;
    throw error;
  }
}
