import { isKind } from '../../src/errors.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { CatalogContext } from './context.ts';
import type { MetadataFile } from './metadata-files.ts';

/**
 * Every location that a table's metadata leads to, whatever its branch, tag or snapshot: metadata files, statistics, manifest lists, manifests,
 * data and delete files; one may come more than once. Manifest by manifest, so memory does not grow with the table.
 *
 * @param gone what to do about a manifest or list that is not there: `skip` leaves out what only it names
 * Errors: `not-found` (with `fail`), `corrupt`, `unavailable`: then the answer is not complete.
 */
export async function* reachableFiles(
  context: Pick<CatalogContext, 'objects'>,
  file: MetadataFile,
  gone: 'skip' | 'fail',
): AsyncIterable<string> {
  const { metadata } = file;
  yield file.location;
  for (const entry of metadata['metadata-log']) yield entry['metadata-file'];
  for (const { 'statistics-path': path } of metadata.statistics ?? []) yield path;
  for (const { 'statistics-path': path } of metadata['partition-statistics'] ?? []) yield path;
  const read = new Set<string>();
  for (const snapshot of metadata.snapshots) {
    const list = snapshot['manifest-list'];
    yield list;
    const bytes = await bytesOf(context, list, gone);
    if (bytes === null) continue;
    for (const { manifestPath } of readManifestList(bytes)) {
      if (read.has(manifestPath)) continue;
      read.add(manifestPath);
      yield manifestPath;
      yield* filesOf(context, manifestPath, gone);
    }
  }
}

/** Entries of all states: what one snapshot deleted, another may still have. */
async function* filesOf(
  context: Pick<CatalogContext, 'objects'>,
  manifestPath: string,
  gone: 'skip' | 'fail',
): AsyncIterable<string> {
  const bytes = await bytesOf(context, manifestPath, gone);
  if (bytes === null) return;
  for (const { dataFile } of readManifest(bytes).entries) yield dataFile.filePath;
}

async function bytesOf(
  context: Pick<CatalogContext, 'objects'>,
  location: string,
  gone: 'skip' | 'fail',
): Promise<Uint8Array | null> {
  try {
    return await context.objects.get(location);
  } catch (error) {
    if (gone === 'skip' && isKind(error, 'not-found')) return null;
    throw error;
  }
}
