import type { DataFile, ManifestEntry } from '../iceberg/manifest.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { LoadedEntry, ManifestContent } from '../table/manifests.ts';

/** What stands in place of files that moved or were rewritten, by old path. */
export interface Replacements {
  /** Moved data files: the new path. */
  readonly moved: ReadonlyMap<string, string>;
  /** Rewritten position delete files: the whole new file. */
  readonly deletes: ReadonlyMap<string, DataFile>;
}

/** A live entry of a data file that moved: what a fence's tombstone is made of. */
export interface RetiredEntry {
  readonly entry: LoadedEntry;
  readonly content: Pick<ManifestContent, 'schema' | 'spec'>;
}

/**
 * A manifest's entries after the move, or null if none names a moved or rewritten file. One to one: order,
 * status, ids and (now explicit) sequence numbers stay, also of entries that say `deleted`, so that an expiry
 * that follows them deletes the new object. Only paths, and lengths and bounds of rewritten files, change.
 */
export function rewriteEntries(
  entries: readonly LoadedEntry[],
  replacements: Replacements,
): ManifestEntry[] | null {
  let changed = false;
  const rewritten = entries.map((entry): ManifestEntry => {
    const dataFile = replaceFile(entry.dataFile, replacements);
    if (dataFile === null) return entry;
    changed = true;
    return { ...entry, dataFile };
  });
  return changed ? rewritten : null;
}

/** A manifest list after the move, or null if it lists no rewritten manifest. Order and all but path and length stay. */
export function rewriteList(
  manifests: readonly ManifestFile[],
  rewritten: ReadonlyMap<string, ManifestFile>,
): ManifestFile[] | null {
  if (!manifests.some((file) => rewritten.has(file.manifestPath))) return null;
  return manifests.map((file) => {
    const replaced = rewritten.get(file.manifestPath);
    if (replaced === undefined) return file;
    return { ...file, manifestPath: replaced.manifestPath, manifestLength: replaced.manifestLength };
  });
}

/** The live entries of a manifest whose data files moved. */
export function retiredEntries(content: ManifestContent, moved: ReadonlyMap<string, string>): RetiredEntry[] {
  if (content.file.content !== 'data') return [];
  const { schema, spec } = content;
  return content.entries
    .filter((entry) => entry.status !== 'deleted' && moved.has(entry.dataFile.filePath))
    .map((entry) => ({ entry, content: { schema, spec } }));
}

function replaceFile(file: DataFile, { moved, deletes }: Replacements): DataFile | null {
  if (file.content !== 'data') return deletes.get(file.filePath) ?? null;
  const to = moved.get(file.filePath);
  return to === undefined ? null : { ...file, filePath: to };
}
