import type { Clock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import { encodeTableMetadata } from '../../src/iceberg/metadata-bytes.ts';
import { parseTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import {
  parseViewMetadata,
  serializeViewMetadata,
  type ViewMetadata,
} from '../../src/iceberg/view-metadata.ts';
import { joinLocation } from '../../src/storage/location.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { type MetadataAsked, metadataAsked } from './events.ts';
import { MetadataCache } from './metadata-cache.ts';
import { isGzipped, packed, unpacked } from './metadata-compression.ts';
import { StandingFiles } from './standing-files.ts';

/** A metadata file: where it lies, what it says, and its JSON in UTF-8, not compressed. */
export interface MetadataFile<M = TableMetadata> {
  readonly location: string;
  readonly metadata: M;
  readonly json: Uint8Array;
}

/** What tells where a metadata file belongs. */
interface Located {
  readonly location: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** How metadata stands in a file. */
interface Codec<M> {
  parse(text: string): M;
  encode(metadata: M): Buffer;
}

export const TABLE_CODEC: Codec<TableMetadata> = {
  parse: parseTableMetadata,
  encode: encodeTableMetadata,
};
export const VIEW_CODEC: Codec<ViewMetadata> = {
  parse: parseViewMetadata,
  encode: (metadata) => Buffer.from(serializeViewMetadata(metadata)),
};

/** A larger file that a client names is none of metadata: reading it would take all memory. */
const MOST_NAMED_BYTES = 256 * 1024 * 1024;

/** JSON kept in memory; what was parsed of it takes some two to three times as much beside. */
const CACHED_BYTES = 64 * 1024 * 1024;

/**
 * Metadata files of tables or views in the object store, those read or written last kept in memory.
 *
 * The cache relies on one thing alone: a file under a name never changes once a pointer named it (each is written under a name of its own, never over
 * another). Which file is a table's current one is asked of the database each time, so that a commit of another server is seen at once, and so is a drop.
 */
export class MetadataFiles<M extends Located = TableMetadata> {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #codec: Codec<M>;
  readonly #cache: MetadataCache<MetadataFile<M>>;
  readonly #standing: StandingFiles;

  constructor(objects: ObjectStore, clock: Clock, codec: Codec<M>, cachedBytes = CACHED_BYTES) {
    this.#objects = objects;
    this.#clock = clock;
    this.#codec = codec;
    this.#cache = new MetadataCache(cachedBytes);
    this.#standing = new StandingFiles(objects, clock);
  }

  /** Errors: `corrupt` if the file is missing or damaged, `unavailable`. */
  async read(location: string): Promise<MetadataFile<M>> {
    const cached = this.#cache.get(location);
    metadataAsked.publish({ cached: cached !== undefined } satisfies MetadataAsked);
    if (cached !== undefined) return cached;
    const json = await unpacked(await this.#bytes(location), location);
    return this.#cache.keep({ location, metadata: this.#parsed(json, location), json });
  }

  /**
   * As `read`, for a reader who is about to open the table: one whose file was lost is not answered from memory. Of a file that is asked for over and over
   * this may take up to a second to be noticed (see `StandingFiles`).
   */
  async readStanding(location: string): Promise<MetadataFile<M>> {
    if (this.#cache.get(location) !== undefined && !(await this.#standing.stands(location))) {
      this.#cache.forget(location);
    }
    return this.read(location);
  }

  /**
   * As `read`, of a file that a client names: no pointer need ever have named it, so it may be another one than when it was read last, and anything at all.
   * Errors: also `invalid-argument` for one that is larger than metadata is.
   */
  async readNamed(location: string): Promise<MetadataFile<M>> {
    this.#cache.forget(location);
    const size = await this.#sizeOf(location);
    if (size > MOST_NAMED_BYTES) throw tooLarge(location);
    const json = await unpacked(await this.#bytes(location), location, MOST_NAMED_BYTES);
    return this.#cache.keep({ location, metadata: this.#parsed(json, location), json });
  }

  /**
   * Writes the file that follows `previous`, durable on return, under a name no other commit uses; gzipped and named as Java does where the table's
   * properties say so.
   */
  async write(metadata: M, previous: string | null): Promise<MetadataFile<M>> {
    const folder = metadata.properties['write.metadata.path'] ?? joinLocation(metadata.location, 'metadata');
    const version = `${versionOf(previous) + 1}`.padStart(5, '0');
    const isPacked = isGzipped(metadata.properties);
    const ending = isPacked ? 'gz.metadata.json' : 'metadata.json';
    const location = joinLocation(folder, `${version}-${this.#clock.uuid()}.${ending}`);
    const json = this.#codec.encode(metadata);
    await this.#objects.put(location, isPacked ? await packed(json) : json, { if: 'absent' });
    return this.#cache.keep({ location, metadata, json });
  }

  /** Removes files of a commit that is known to have failed; what cannot be removed is left to orphan removal. */
  async discard(files: readonly MetadataFile<M>[]): Promise<void> {
    for (const { location } of files) this.#cache.forget(location);
    await this.#objects.delete(files.map((file) => file.location)).catch(() => {});
  }

  /** Makes room: no pointer names the file any more. */
  forget(file: MetadataFile<M>): void {
    this.#cache.forget(file.location);
  }

  /** Says which file was damaged. */
  #parsed(json: Uint8Array, location: string): M {
    try {
      return this.#codec.parse(utf8Text(json));
    } catch (error) {
      if (!isKind(error, 'corrupt', 'unsupported')) throw error;
      throw new LakeError(error.kind, error.message, {
        where: error.where === undefined ? location : `${location}: ${error.where}`,
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  }

  async #sizeOf(location: string): Promise<number> {
    return (await this.#present(location, () => this.#objects.head(location))).size;
  }

  #bytes(location: string): Promise<Uint8Array> {
    return this.#present(location, () => this.#objects.get(location));
  }

  async #present<T>(location: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
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
}

function tooLarge(location: string): LakeError {
  return new LakeError('invalid-argument', `${location} is no metadata file: it is too large for one`, {
    where: location,
    hint: 'Name a metadata.json file as an Iceberg writer wrote it.',
  });
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
