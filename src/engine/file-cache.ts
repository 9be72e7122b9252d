import { createHash } from 'node:crypto';
import { link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectHead, ObjectStore } from '../storage/object-store.ts';
import { fromSystemError, systemCode } from '../storage/storage-errors.ts';
import { closeProcessFolder, openProcessFolder } from './process-folder.ts';

export interface FileCacheOptions {
  readonly objects: ObjectStore;
  /** A local folder that several processes may share. */
  readonly folder: string;
  /** Bytes that the files may take in all. */
  readonly sizeBytes: number;
}

const FETCHES = 8;
/** Reservations in this process come one after another, so that two do not count on the same room. */
let lastReservation: Promise<unknown> = Promise.resolve();

/**
 * Objects as local files, for an engine that opens paths. A file is kept under the hash of its location and etag; who needs it holds
 * a hard link in a folder of its own process ("pin"), so that another process may evict it at any time and take nothing away. The
 * least recently pinned files go first; pinned ones stay.
 */
export class FileCache {
  readonly #options: FileCacheOptions;
  readonly #pinned = new Map<string, { readonly path: string; readonly owners: Set<string> }>();
  #pins: Promise<string> | undefined;
  #lastPin = 0;
  #reserved = 0;

  constructor(options: FileCacheOptions) {
    this.#options = options;
  }

  /**
   * Local paths of objects, fetched where they are not there yet. They stay for `owner` until its next call, `release` or `close`.
   * Errors: those of the store, `unavailable` where they do not fit into the cache.
   */
  async pin(owner: string, locations: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(locations);
    await this.#releaseBut(owner, wanted);
    try {
      const missing = [...wanted].filter(
        (location) => this.#pinned.get(location)?.owners.add(owner) === undefined,
      );
      const heads = await inParallel(missing, FETCHES, (location) => this.#options.objects.head(location));
      const unlinked: ObjectHead[] = [];
      for (const head of heads) if (!(await this.#linkCached(owner, head))) unlinked.push(head);
      await this.#fetchAll(owner, unlinked);
    } catch (error) {
      throw error instanceof LakeError ? error : fromSystemError(error, this.#options.folder);
    }
    return new Map([...wanted].map((location) => [location, this.#pinned.get(location)?.path ?? '']));
  }

  /** Lets go of what `pin` holds for an owner. */
  async release(owner: string): Promise<void> {
    await this.#releaseBut(owner, new Set());
  }

  async close(): Promise<void> {
    this.#pinned.clear();
    if (this.#pins !== undefined) await closeProcessFolder(await this.#pins);
    this.#pins = undefined;
  }

  async #releaseBut(owner: string, kept: ReadonlySet<string>): Promise<void> {
    for (const [location, { path, owners }] of this.#pinned) {
      if (kept.has(location) || !owners.delete(owner) || owners.size > 0) continue;
      this.#pinned.delete(location);
      await unlink(path).catch(() => undefined);
    }
  }

  async #newPin(): Promise<string> {
    this.#pins ??= (async () => {
      await mkdir(this.#cached(''), { recursive: true });
      return openProcessFolder(join(this.#options.folder, 'pins'));
    })();
    return join(await this.#pins, `${++this.#lastPin}.parquet`);
  }

  #cached(key: string): string {
    return join(this.#options.folder, 'objects', key);
  }

  #keep(owner: string, location: string, path: string): void {
    this.#pinned.set(location, { path, owners: new Set([owner]) });
  }

  async #linkCached(owner: string, head: ObjectHead): Promise<boolean> {
    const path = await this.#newPin();
    try {
      await link(this.#cached(keyOf(head)), path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
    this.#keep(owner, head.location, path);
    return true;
  }

  async #fetchAll(owner: string, heads: readonly ObjectHead[]): Promise<void> {
    if (heads.length === 0) return;
    const bytes = heads.reduce((sum, head) => sum + head.size, 0);
    const reservation = lastReservation.then(() => this.#reserve(bytes));
    lastReservation = reservation.catch(() => undefined);
    await reservation;
    try {
      await inParallel(heads, FETCHES, (head) => this.#fetch(owner, head));
    } finally {
      this.#reserved -= bytes;
    }
  }

  async #fetch(owner: string, head: ObjectHead): Promise<void> {
    const path = await this.#newPin();
    const file = await open(path, 'wx');
    let size = 0;
    try {
      for await (const chunk of this.#options.objects.stream(head.location)) {
        await file.writeFile(chunk);
        size += chunk.length;
      }
    } finally {
      await file.close();
    }
    if (size !== head.size) {
      throw new LakeError('unavailable', `${size} of ${head.size} bytes of ${head.location} came`, {
        where: head.location,
        hint: 'The object changed or the transfer broke off: run the command again.',
      });
    }
    try {
      await link(path, this.#cached(keyOf(head)));
    } catch (error) {
      // Another process fetched it at the same time.
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    this.#keep(owner, head.location, path);
  }

  /** Makes room: evicts the least recently pinned files. A link changes the time of the last change (ctime) of a file. */
  async #reserve(bytes: number): Promise<void> {
    const { sizeBytes, folder } = this.#options;
    const kept = await this.#keptFiles();
    let used = this.#reserved + kept.reduce((sum, file) => sum + file.size, 0);
    const evictable = kept.filter((file) => file.links === 1).sort((a, b) => a.usedMs - b.usedMs);
    for (const file of evictable) {
      if (used + bytes <= sizeBytes) break;
      await unlink(file.path).catch(() => undefined);
      used -= file.size;
    }
    if (used + bytes > sizeBytes) {
      throw new LakeError(
        'unavailable',
        `Files of ${bytes} bytes do not fit into the cache of ${sizeBytes} bytes`,
        {
          where: folder,
          hint: 'Raise engine.cache_size in lake.yaml, or query less at once: it holds what one command reads from S3.',
        },
      );
    }
    this.#reserved += bytes;
  }

  async #keptFiles() {
    const names = await readdir(this.#cached(''));
    const found = await inParallel(names, FETCHES, async (name) => {
      const path = this.#cached(name);
      const info = await stat(path).catch(() => undefined);
      return info === undefined ? [] : [{ path, size: info.size, links: info.nlink, usedMs: info.ctimeMs }];
    });
    return found.flat();
  }
}

const keyOf = (head: ObjectHead): string =>
  createHash('sha256').update(`${head.location}\n${head.etag}`).digest('hex');
