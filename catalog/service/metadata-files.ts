import { gunzipSync } from 'node:zlib';
import type { Clock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import {
  parseViewMetadata,
  serializeViewMetadata,
  type ViewMetadata,
} from '../../src/iceberg/view-metadata.ts';
import { joinLocation } from '../../src/storage/location.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** A metadata file: where it lies, what it says, and its text. */
export interface MetadataFile<M = TableMetadata> {
  readonly location: string;
  readonly metadata: M;
  readonly text: string;
}

/** What tells where a metadata file belongs. */
interface Located {
  readonly location: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** How metadata stands in a file. */
interface Codec<M> {
  parse(text: string): M;
  serialize(metadata: M): string;
}

export const TABLE_CODEC: Codec<TableMetadata> = {
  parse: parseTableMetadata,
  serialize: serializeTableMetadata,
};
export const VIEW_CODEC: Codec<ViewMetadata> = { parse: parseViewMetadata, serialize: serializeViewMetadata };

const CACHED_FILES = 64;

/** Metadata files of tables or views in the object store. They never change, so those read or written last are cached. */
export class MetadataFiles<M extends Located = TableMetadata> {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #codec: Codec<M>;
  readonly #cache = new Map<string, MetadataFile<M>>();

  constructor(objects: ObjectStore, clock: Clock, codec: Codec<M>) {
    this.#objects = objects;
    this.#clock = clock;
    this.#codec = codec;
  }

  /** Errors: `corrupt` if the file is missing or damaged, `unavailable`. */
  async read(location: string): Promise<MetadataFile<M>> {
    const cached = this.#cache.get(location);
    if (cached !== undefined) return this.#remember(cached);
    const bytes = unpacked(await this.#bytes(location), location);
    return this.#remember({ location, ...this.#parsed(bytes, location) });
  }

  /** As `read`, for a reader who is about to open the table: one whose file was lost is not answered from memory. */
  async readStanding(location: string): Promise<MetadataFile<M>> {
    if (this.#cache.has(location) && !(await this.#objects.exists(location))) this.#cache.delete(location);
    return this.read(location);
  }

  /** Writes the file that follows `previous`, durable on return, under a name no other commit uses. */
  async write(metadata: M, previous: string | null): Promise<MetadataFile<M>> {
    const folder = metadata.properties['write.metadata.path'] ?? joinLocation(metadata.location, 'metadata');
    const version = `${versionOf(previous) + 1}`.padStart(5, '0');
    const location = joinLocation(folder, `${version}-${this.#clock.uuid()}.metadata.json`);
    const text = this.#codec.serialize(metadata);
    await this.#objects.put(location, new TextEncoder().encode(text), { if: 'absent' });
    return this.#remember({ location, metadata, text });
  }

  /** Removes files of a commit that is known to have failed; what cannot be removed is left to orphan removal. */
  async discard(files: readonly MetadataFile<M>[]): Promise<void> {
    for (const { location } of files) this.#cache.delete(location);
    await this.#objects.delete(files.map((file) => file.location)).catch(() => {});
  }

  /** Says which file was damaged. */
  #parsed(bytes: Uint8Array, location: string): { readonly metadata: M; readonly text: string } {
    try {
      const text = utf8Text(bytes);
      return { metadata: this.#codec.parse(text), text };
    } catch (error) {
      if (!isKind(error, 'corrupt', 'unsupported')) throw error;
      throw new LakeError(error.kind, error.message, {
        where: error.where === undefined ? location : `${location}: ${error.where}`,
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  }

  async #bytes(location: string): Promise<Uint8Array> {
    try {
      return await this.#objects.get(location);
    } catch (error) {
      if (!(error instanceof LakeError) || error.kind !== 'not-found') throw error;
      throw new LakeError(
        'corrupt',
        `Failed to open input stream for file: ${location}: this metadata file is missing`,
        {
          where: location,
          hint: 'Bring the file back from a backup, or name one that is there.',
          cause: error,
          // Java's client takes the name as it stands.
          context: { missing: true, type: 'NotFoundException' },
        },
      );
    }
  }

  #remember(file: MetadataFile<M>): MetadataFile<M> {
    this.#cache.delete(file.location);
    this.#cache.set(file.location, file);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_FILES) break;
      this.#cache.delete(oldest);
    }
    return file;
  }
}

/** Other writers may compress metadata (`write.metadata.compression-codec`); gzip is told by its first bytes. */
function unpacked(bytes: Uint8Array, location: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new LakeError('corrupt', `The metadata file ${location} is damaged: it does not unpack`, {
      where: location,
      hint: 'Bring the file back from a backup.',
      cause,
    });
  }
}

function utf8Text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LakeError('corrupt', 'The metadata file is not valid UTF-8', {
      hint: 'Bring the file back from a backup; the catalog still points to it.',
      cause,
    });
  }
}

/** The number at the start of a metadata file's name; -1 if there is no file yet. */
function versionOf(location: string | null): number {
  if (location === null) return -1;
  const digits = /^v?(\d+)/.exec(location.slice(location.lastIndexOf('/') + 1));
  return digits === null ? 0 : Number(digits[1]);
}
