import { createHash } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectHead, ObjectStore } from '../storage/object-store.ts';
import { fromSystemError, systemCode } from '../storage/storage-errors.ts';
import { choosePart, footerIn, MAGIC, type ParquetPart, type PartWish } from './parquet-part.ts';
import { closeProcessFolder, openProcessFolder } from './process-folder.ts';

export interface FileCacheOptions {
  readonly objects: ObjectStore;
  /** A local folder that several processes may share. */
  readonly folder: string;
  /** Bytes that the files may take in all. */
  readonly sizeBytes: number;
  /** Parts are fetched of files that are larger than this. */
  readonly wholeFileBytes?: number;
}

const FETCHES = 8;
/** Pieces of one part at a time. */
const PIECES = 4;
/** Reservations in this process come one after another, so that two do not count on the same room. */
let lastReservation: Promise<unknown> = Promise.resolve();

/** Files up to this size are fetched as a whole: a request more costs as much. */
const WHOLE_FILE_BYTES = 1 << 20;
const FIRST_TAIL_BYTES = 64 * 1024;
/** Of a part, so much is fetched by one request. */
const PIECE_BYTES = 8 << 20;

/** What one local file is made of: all or a part of an object. */
interface Item {
  readonly head: ObjectHead;
  readonly part: ParquetPart | null;
  /** In the cache. */
  readonly key: string;
  /** Bytes on the local disk. */
  readonly size: number;
}

/**
 * Objects, or parts of Parquet objects, as local files, for an engine that opens paths. A file is kept under the hash of its location and etag; who needs it holds
 * a hard link in a folder of its own process ("pin"), so that another process may evict it at any time and take nothing away. The
 * least recently pinned files go first; pinned ones stay.
 */
export class FileCache {
  readonly #options: FileCacheOptions;
  /** By their keys. */
  readonly #pinned = new Map<
    string,
    { readonly path: string; readonly size: number; readonly owners: Set<string> }
  >();
  /** Keys of whole objects that are pinned, by location: they need not be asked for again. */
  readonly #whole = new Map<string, string>();
  #pins: Promise<string> | undefined;
  #lastPin = 0;
  #reserved = 0;

  constructor(options: FileCacheOptions) {
    this.#options = options;
  }

  /**
   * Local paths of objects, fetched where they are not there yet. They stay for `owner` until its next call, `release` or `close`.
   *
   * @param wishes Parquet files of which a part is enough, by location
   * @throws LakeError those of the store, `unavailable` where they do not fit into the cache
   */
  async pin(
    owner: string,
    locations: readonly string[],
    wishes: ReadonlyMap<string, PartWish> = new Map(),
  ): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(locations);
    await this.#releaseBut(owner, wanted);
    const keys = new Map<string, string>();
    try {
      const missing = [...wanted].filter((location) => {
        const key = this.#whole.get(location);
        if (key === undefined || !this.#own(owner, key)) return true;
        keys.set(location, key);
        return false;
      });
      const items = await inParallel(missing, FETCHES, (location) =>
        this.#found(owner, location, wishes.get(location)),
      );
      const absent = [];
      for (const item of items) {
        keys.set(item.head.location, item.key);
        if (!this.#own(owner, item.key) && !(await this.#linkCached(owner, item))) absent.push(item);
      }
      await this.#fetchAll(owner, absent);
    } catch (error) {
      throw error instanceof LakeError ? error : fromSystemError(error, this.#options.folder);
    }
    return new Map([...keys].map(([location, key]) => [location, this.#pinned.get(key)?.path ?? '']));
  }

  /** Lets go of what `pin` holds for an owner. */
  async release(owner: string): Promise<void> {
    await this.#releaseBut(owner, new Set());
  }

  async close(): Promise<void> {
    this.#pinned.clear();
    this.#whole.clear();
    if (this.#pins !== undefined) await closeProcessFolder(await this.#pins);
    this.#pins = undefined;
  }

  async #releaseBut(owner: string, kept: ReadonlySet<string>): Promise<void> {
    const keptKeys = new Set(
      [...this.#whole].flatMap(([location, key]) => (kept.has(location) ? [key] : [])),
    );
    for (const [key, { path, owners }] of this.#pinned) {
      if (keptKeys.has(key) || !owners.delete(owner) || owners.size > 0) continue;
      this.#pinned.delete(key);
      await unlink(path).catch(() => undefined);
    }
    for (const [location, key] of this.#whole) if (!this.#pinned.has(key)) this.#whole.delete(location);
  }

  /** Notes one more owner of what is pinned; false if it is not. */
  #own(owner: string, key: string): boolean {
    return this.#pinned.get(key)?.owners.add(owner) !== undefined;
  }

  /** The object as it is now, or the part of it that is wanted. A whole one that is here already is taken before a part. */
  async #found(owner: string, location: string, wish: PartWish | undefined): Promise<Item> {
    const head = await this.#options.objects.head(location);
    const whole: Item = { head, part: null, key: keyOf(head), size: head.size };
    if (wish === undefined || head.size <= (this.#options.wholeFileBytes ?? WHOLE_FILE_BYTES)) return whole;
    if (this.#own(owner, whole.key) || (await this.#linkCached(owner, whole))) return whole;
    const footer = await this.#footer(head);
    const part = footer === null ? null : choosePart(footer, head.size, wish);
    if (part === null || part.size >= head.size) return whole;
    return { head, part, key: keyOf(head, part.choice), size: part.size };
  }

  async #footer({ location, size }: ObjectHead): Promise<Uint8Array | null> {
    const last = (bytes: number): Promise<Uint8Array> =>
      this.#options.objects.get(location, { start: Math.max(0, size - bytes), end: size });
    const found = footerIn(await last(FIRST_TAIL_BYTES));
    if (typeof found !== 'number') return found;
    const again = found > size ? null : footerIn(await last(found));
    return typeof again === 'number' ? null : again;
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

  #keep(owner: string, { head, part, key, size }: Item, path: string): void {
    this.#pinned.set(key, { path, size, owners: new Set([owner]) });
    if (part === null) this.#whole.set(head.location, key);
  }

  async #linkCached(owner: string, item: Item): Promise<boolean> {
    const path = await this.#newPin();
    try {
      await link(this.#cached(item.key), path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
    // Nothing here is synced: a machine that stopped may have left the name without the bytes.
    if ((await stat(path)).size !== item.size) {
      for (const broken of [path, this.#cached(item.key)]) await unlink(broken).catch(() => undefined);
      return false;
    }
    this.#keep(owner, item, path);
    return true;
  }

  async #fetchAll(owner: string, items: readonly Item[]): Promise<void> {
    if (items.length === 0) return;
    const bytes = items.reduce((sum, item) => sum + item.size, 0);
    const reservation = lastReservation.then(() => this.#reserve(bytes));
    lastReservation = reservation.catch(() => undefined);
    await reservation;
    try {
      await inParallel(items, FETCHES, (item) => this.#fetch(owner, item));
    } finally {
      this.#reserved -= bytes;
    }
  }

  async #fetch(owner: string, item: Item): Promise<void> {
    const { head, part } = item;
    const path = await this.#newPin();
    const file = await open(path, 'wx');
    let size = 0;
    try {
      if (part === null) {
        for await (const chunk of this.#options.objects.stream(head.location)) {
          await file.writeFile(chunk);
          size += chunk.length;
        }
      } else size = await this.#writePart(file, head, part);
    } finally {
      await file.close();
    }
    if (size !== item.size) {
      throw new LakeError('unavailable', `${size} of ${item.size} bytes of ${head.location} came`, {
        where: head.location,
        hint: 'The object changed or the transfer broke off: run the command again.',
      });
    }
    try {
      await link(path, this.#cached(item.key));
    } catch (error) {
      // Another process fetched it at the same time.
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    this.#keep(owner, item, path);
  }

  /** Returns how many bytes were written. */
  async #writePart(
    file: FileHandle,
    { location }: ObjectHead,
    { ranges, end }: ParquetPart,
  ): Promise<number> {
    await file.write(MAGIC, 0, MAGIC.length, 0);
    let at = MAGIC.length;
    const pieces = ranges.flatMap(({ start, end: stop }) => {
      const from = at;
      at += stop - start;
      return Array.from({ length: Math.ceil((stop - start) / PIECE_BYTES) }, (_, i) => ({
        start: start + i * PIECE_BYTES,
        end: Math.min(stop, start + (i + 1) * PIECE_BYTES),
        to: from + i * PIECE_BYTES,
      }));
    });
    const written = await inParallel(pieces, PIECES, async ({ start, end: stop, to }) => {
      const bytes = await this.#options.objects.get(location, { start, end: stop });
      await file.write(bytes, 0, bytes.length, to);
      return bytes.length;
    });
    await file.write(end, 0, end.length, at);
    return MAGIC.length + end.length + written.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Makes room: evicts the least recently pinned files. A link changes the time of the last change (ctime) of a file. */
  async #reserve(bytes: number): Promise<void> {
    const { sizeBytes } = this.#options;
    const kept = await this.#keptFiles();
    let used = this.#reserved + kept.reduce((sum, file) => sum + file.size, 0);
    const evictable = kept.filter((file) => file.links === 1).sort((a, b) => a.usedMs - b.usedMs);
    for (const file of evictable) {
      if (used + bytes <= sizeBytes) break;
      await unlink(file.path).catch(() => undefined);
      used -= file.size;
    }
    if (used + bytes > sizeBytes) throw this.#tooMuch(bytes, used - this.#reserved);
    this.#reserved += bytes;
  }

  /** @param inUse bytes that this and other commands hold now */
  #tooMuch(bytes: number, inUse: number): LakeError {
    const { sizeBytes, folder } = this.#options;
    const own = [...this.#pinned.values()].reduce((sum, pinned) => sum + pinned.size, 0);
    const others = Math.max(0, inUse - own);
    const beside = others > 0 ? `; other commands hold ${others} of them now` : '';
    return new LakeError(
      'unavailable',
      `This command needs ${own + bytes} bytes of files from S3 at once, and engine.cache_size is ${sizeBytes} bytes${beside}`,
      {
        where: folder,
        hint:
          `Set engine.cache_size in lake.yaml to ${own + bytes + others} or more, or read less: a filter on the partition columns with ` +
          "constants (WHERE day = DATE '2001-01-05') and fewer columns leave files and parts of them out. Nothing was changed.",
      },
    );
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

/** @param part which part of the object; the whole if absent */
const keyOf = (head: ObjectHead, part = ''): string =>
  createHash('sha256')
    .update([head.location, head.etag, ...(part === '' ? [] : [part])].join('\n'))
    .digest('hex');
