import type { Clock } from '../../src/clock.ts';
import { LakeError } from '../../src/errors.ts';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { joinLocation } from '../../src/storage/location.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** A metadata file: where it lies, what it says, and its text. */
export interface MetadataFile {
  readonly location: string;
  readonly metadata: TableMetadata;
  readonly text: string;
}

const CACHED_FILES = 64;

/** Table metadata files in the object store. They never change, so read ones are cached. */
export class MetadataFiles {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #cache = new Map<string, MetadataFile>();

  constructor(objects: ObjectStore, clock: Clock) {
    this.#objects = objects;
    this.#clock = clock;
  }

  /** Errors: `corrupt` if the file is missing or damaged, `unavailable`. */
  async read(location: string): Promise<MetadataFile> {
    const cached = this.#cache.get(location);
    if (cached !== undefined) return this.#remember(cached);
    const text = new TextDecoder().decode(await this.#bytes(location));
    return this.#remember({ location, metadata: parseTableMetadata(text), text });
  }

  /** Writes the file that follows `previous`, durable on return, under a name no other commit uses. */
  async write(metadata: TableMetadata, previous: string | null): Promise<MetadataFile> {
    const folder = metadata.properties['write.metadata.path'] ?? joinLocation(metadata.location, 'metadata');
    const version = `${versionOf(previous) + 1}`.padStart(5, '0');
    const location = joinLocation(folder, `${version}-${this.#clock.uuid()}.metadata.json`);
    const text = serializeTableMetadata(metadata);
    await this.#objects.put(location, new TextEncoder().encode(text), { if: 'absent' });
    return { location, metadata, text };
  }

  /** Removes files of a commit that is known to have failed; what cannot be removed is left to orphan removal. */
  async discard(files: readonly MetadataFile[]): Promise<void> {
    await this.#objects.delete(files.map((file) => file.location)).catch(() => {});
  }

  async #bytes(location: string): Promise<Uint8Array> {
    try {
      return await this.#objects.get(location);
    } catch (error) {
      if (!(error instanceof LakeError) || error.kind !== 'not-found') throw error;
      throw new LakeError('corrupt', `The table's metadata file is missing: ${location}`, {
        where: location,
        hint: 'Bring the file back from a backup; the catalog still points to it.',
        cause: error,
      });
    }
  }

  #remember(file: MetadataFile): MetadataFile {
    this.#cache.delete(file.location);
    this.#cache.set(file.location, file);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_FILES) break;
      this.#cache.delete(oldest);
    }
    return file;
  }
}

/** The number at the start of a metadata file's name; -1 if there is no file yet. */
function versionOf(location: string | null): number {
  if (location === null) return -1;
  const digits = /^v?(\d+)/.exec(location.slice(location.lastIndexOf('/') + 1));
  return digits === null ? 0 : Number(digits[1]);
}
