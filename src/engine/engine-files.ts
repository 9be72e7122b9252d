import { join } from 'node:path';
import type { ObjectStore } from '../storage/object-store.ts';
import { FileCache, type FileCacheOptions } from './file-cache.ts';
import type { PartWish } from './parquet-part.ts';
import { closeProcessFolder, openProcessFolder } from './process-folder.ts';
import { isLocalLocation, localDataPath } from './sql-text.ts';

export interface EngineFilesOptions {
  /** A local folder for what does not fit into memory and for files on their way to a store. */
  readonly tempDirectory: string;
  /** Where locations other than `file:` are read; without it they are refused. */
  readonly objects?: ObjectStore;
  /** Where files from S3 are kept between queries. */
  readonly cache?: Omit<FileCacheOptions, 'objects'>;
}

const DEFAULT_CACHE_BYTES = 4e9;

/** The files of an engine that opens local paths alone: local ones as they are, others staged in a bounded cache. */
export class EngineFiles {
  readonly #tempDirectory: string;
  readonly #cache: FileCache | undefined;
  readonly #isReadDirectly: (location: string) => boolean;
  #scratch: Promise<string> | undefined;
  #lastScratch = 0;

  /** @param isReadDirectly tells which locations the engine opens itself */
  constructor(
    { tempDirectory, objects, cache }: EngineFilesOptions,
    isReadDirectly: (location: string) => boolean,
  ) {
    this.#isReadDirectly = isReadDirectly;
    this.#tempDirectory = tempDirectory;
    const kept = cache ?? { folder: join(tempDirectory, 'cache'), sizeBytes: DEFAULT_CACHE_BYTES };
    if (objects !== undefined) this.#cache = new FileCache({ ...kept, objects });
  }

  /**
   * What the engine opens for data and delete files: a local path, or the location where it reads that itself. Staged files stay for `owner` (a view's name) until its
   * next call or `release`.
   *
   * @param wishes of which files a part is enough, where they are staged, by location
   * @throws LakeError `unsupported` for locations without a store, as `FileCache.pin`
   */
  async stage(
    owner: string,
    locations: readonly string[],
    wishes: ReadonlyMap<string, PartWish> = new Map(),
  ): Promise<(location: string) => string> {
    const isDirect = this.#isReadDirectly;
    const remote = locations.filter((location) => !isLocalLocation(location) && !isDirect(location));
    const staged = await this.#cache?.pin(owner, remote, wishes);
    return (location) => staged?.get(location) ?? (isDirect(location) ? location : localDataPath(location));
  }

  async release(owner: string): Promise<void> {
    await this.#cache?.release(owner);
  }

  /** A local folder that does not exist yet and that no other call gets, for files on their way to a store. */
  async newScratchFolder(): Promise<string> {
    this.#scratch ??= openProcessFolder(join(this.#tempDirectory, 'scratch'));
    return join(await this.#scratch, `${++this.#lastScratch}`);
  }

  async close(): Promise<void> {
    await this.#cache?.close();
    if (this.#scratch !== undefined) await closeProcessFolder(await this.#scratch);
  }
}
