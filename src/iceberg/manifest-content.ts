import { LakeError } from '../errors.ts';
import {
  type InheritedEntry,
  inheritEntry,
  type ManifestEntry,
  type ManifestReading,
  readManifest,
} from './manifest.ts';
import type { ManifestFile } from './manifest-file.ts';
import type { PartitionSpec } from './partition-spec.ts';
import type { Schema } from './schema.ts';

/** A manifest whose entries have nothing left to inherit, and the schema and spec it was written with. */
export interface InheritedManifest {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** Deleted ones included, in order; decoded as they are read, every time anew. */
  readonly entries: Iterable<InheritedEntry>;
}

/**
 * Reads a manifest as its manifest list names it.
 *
 * @throws LakeError('corrupt') for bytes that are no manifest, or not the one that the list tells of, here or while `entries` are read.
 */
export function readInheritedManifest(
  bytes: Uint8Array,
  file: ManifestFile,
  reading: ManifestReading = {},
): InheritedManifest {
  // A manifest cut between two blocks reads well and lacks files: rows would vanish, or live files be deleted.
  if (bytes.length !== file.manifestLength) {
    const told = `its manifest list says ${file.manifestLength}`;
    throw new LakeError('corrupt', `A manifest has ${bytes.length} bytes, ${told}`);
  }
  const { schema, spec, entries } = readManifest(bytes, reading);
  return {
    schema,
    spec,
    entries: {
      *[Symbol.iterator]() {
        const found = { added: 0, existing: 0, deleted: 0 };
        for (const entry of entries) {
          found[entry.status] += 1;
          yield inherited(file, entry);
        }
        checkCounts(file, found);
      },
    },
  };
}

/** Whole manifests are passed over by these counts: wrong ones hide files. Lists of v1 may lack them (a negative count). */
function checkCounts(file: ManifestFile, found: Readonly<Record<ManifestEntry['status'], number>>): void {
  const told = {
    added: file.addedFilesCount,
    existing: file.existingFilesCount,
    deleted: file.deletedFilesCount,
  };
  for (const status of ['added', 'existing', 'deleted'] as const) {
    if (told[status] < 0 || told[status] === found[status]) continue;
    throw new LakeError(
      'corrupt',
      `A manifest has ${found[status]} ${status} files, its manifest list says ${told[status]}`,
    );
  }
}

/** Deletes that a damaged entry calls data would not be applied, and rows would come back. */
function inherited(file: ManifestFile, entry: ManifestEntry): InheritedEntry {
  if ((entry.dataFile.content === 'data') !== (file.content === 'data')) {
    throw new LakeError('corrupt', `A manifest of ${file.content} lists a ${entry.dataFile.content} file`);
  }
  return inheritEntry(entry, file);
}
