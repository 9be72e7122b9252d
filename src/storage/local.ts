import { createHash } from 'node:crypto';
import { type BigIntStats, constants, createReadStream } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LakeError } from '../errors.ts';
import { localPath } from './location.ts';
import type { ObjectHead, ObjectStore, PutOptions } from './object-store.ts';
import {
  alreadyExists,
  changedSince,
  fromSystemError,
  isThere,
  notFound,
  systemCode,
} from './storage-errors.ts';

const PAGE_SIZE = 1000;
const TEMPORARY = /\.lake-(\d+)-\d+\.tmp$/;
/** A temporary file's name begins with so many characters of the target's: what a killed process left is found by the same prefix. */
const NAME_START = 60;
const LOCK_SUFFIX = '.lake-lock';
let lastTemporary = 0;

/** Objects as files of the local disk, by `file:///…` locations. See `ObjectStore` for the promises. */
export class LocalStore implements ObjectStore {
  async get(location: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array> {
    let file: FileHandle | undefined;
    try {
      file = await open(localPath(location), 'r');
      const info = await file.stat();
      if (!info.isFile()) throw notFound(location);
      if (range === undefined) return await file.readFile();
      const start = Math.min(range.start, info.size);
      const bytes = Buffer.alloc(Math.max(0, Math.min(range.end, info.size) - start));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } catch (error) {
      throw fromSystemError(error, location);
    } finally {
      await file?.close();
    }
  }

  async *stream(location: string): AsyncIterable<Uint8Array> {
    try {
      yield* createReadStream(localPath(location), { highWaterMark: 1 << 20 });
    } catch (error) {
      throw fromSystemError(error, location);
    }
  }

  async put(location: string, bytes: Uint8Array, options: PutOptions = {}): Promise<ObjectHead> {
    return this.#publish(location, options, async (temporary) => {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    });
  }

  async upload(location: string, chunks: AsyncIterable<Uint8Array>): Promise<ObjectHead> {
    return this.#publish(location, { if: 'absent' }, async (temporary) => {
      const file = await open(temporary, 'wx');
      try {
        for await (const chunk of chunks) await file.writeFile(chunk);
        await file.sync();
      } finally {
        await file.close();
      }
    });
  }

  async copy(from: string, to: string): Promise<ObjectHead> {
    const source = localPath(from);
    // Said of the source here: later an ENOENT would be blamed on the target.
    await this.head(from);
    return this.#publish(to, { if: 'absent' }, async (temporary) => {
      await copyFile(source, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await syncPath(temporary);
    });
  }

  async head(location: string): Promise<ObjectHead> {
    try {
      const info = await stat(localPath(location), { bigint: true });
      if (!info.isFile()) throw notFound(location);
      return headOf(location, info);
    } catch (error) {
      throw fromSystemError(error, location);
    }
  }

  async exists(location: string): Promise<boolean> {
    return isThere(this.head(location));
  }

  async *list(
    prefix: string,
    options: { readonly pageSize?: number } = {},
  ): AsyncIterable<readonly ObjectHead[]> {
    const pageSize = options.pageSize ?? PAGE_SIZE;
    const path = localPath(prefix);
    const scheme = prefix.slice(0, prefix.length - path.length);
    let page: ObjectHead[] = [];
    for await (const file of walk(path.slice(0, path.lastIndexOf('/') + 1), path)) {
      const head = await this.#headIfThere(scheme + file);
      if (head === null) continue;
      page.push(head);
      if (page.length === pageSize) {
        yield page;
        page = [];
      }
    }
    if (page.length > 0) yield page;
  }

  async delete(locations: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const location of locations) {
      const path = localPath(location);
      try {
        await unlink(path);
        folders.add(dirname(path));
      } catch (error) {
        if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error))) throw fromSystemError(error, location);
      }
    }
    for (const folder of folders) await syncPath(folder);
  }

  /** Every object can be read at any time. */
  async restore(location: string): Promise<void> {
    await this.head(location);
  }

  async checksum(location: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.stream(location)) hash.update(chunk);
    return hash.digest('hex');
  }

  async #headIfThere(location: string): Promise<ObjectHead | null> {
    try {
      return await this.head(location);
    } catch (error) {
      if (error instanceof LakeError && error.kind === 'not-found') return null;
      throw error;
    }
  }

  /** Fills a temporary file beside the target and gives it its name in one step, so that no one sees half an object. */
  async #publish(
    location: string,
    options: PutOptions,
    fill: (temporary: string) => Promise<void>,
  ): Promise<ObjectHead> {
    const path = localPath(location);
    const folder = dirname(path);
    const temporary = join(
      folder,
      `${basename(path).slice(0, NAME_START)}.lake-${process.pid}-${++lastTemporary}.tmp`,
    );
    try {
      await makeFolder(folder);
      if (options.if === 'absent' && (await this.exists(location))) throw alreadyExists(location);
      await fill(temporary);
      if (options.if === undefined) await rename(temporary, path);
      else if (options.if === 'absent') await link(temporary, path);
      else await this.#replaceCurrent(location, temporary, options.if.etag);
      await syncPath(folder);
    } catch (error) {
      throw fromSystemError(error, location);
    } finally {
      // A folder that could not be made holds no temporary file either.
      await rm(temporary, { force: true }).catch(() => {});
    }
    return this.head(location);
  }

  /** Compare-and-set by etag. The lock is never stolen: taking over a stale one safely needs more than a file system gives. */
  async #replaceCurrent(location: string, temporary: string, etag: string): Promise<void> {
    const path = localPath(location);
    const lock = join(dirname(path), `.${basename(path)}${LOCK_SUFFIX}`);
    try {
      await (await open(lock, 'wx')).close();
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      throw new LakeError('unavailable', `Another writer holds ${location}`, {
        where: lock,
        hint: 'Try again; if no process is writing there any more, delete the lock file.',
      });
    }
    try {
      const current = await this.#headIfThere(location);
      if (current?.etag !== etag) throw changedSince(location);
      await rename(temporary, path);
    } finally {
      await rm(lock, { force: true });
    }
  }
}

function headOf(location: string, info: BigIntStats): ObjectHead {
  return {
    location,
    size: Number(info.size),
    lastModifiedMs: Number(info.mtimeMs),
    etag: `${info.ino.toString(16)}-${info.mtimeNs.toString(16)}-${info.size.toString(16)}`,
  };
}

/** Creates a folder with its parents and makes the new names durable. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncPath(dirname(made));
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Paths of the objects below `folder` that start with `prefix`, in byte order of the whole path. */
async function* walk(folder: string, prefix: string): AsyncIterable<string> {
  for (const { name, isFolder } of await entriesOf(folder)) {
    const path = folder + name;
    if (isFolder) {
      if (path.startsWith(prefix) || prefix.startsWith(path)) yield* walk(path, prefix);
    } else if (path.startsWith(prefix)) yield path;
  }
}

async function entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !isInFlight(entry.name))
      .map((entry) => ({
        name: entry.name + (entry.isDirectory() ? '/' : ''),
        isFolder: entry.isDirectory(),
      }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return [];
    throw fromSystemError(error, `file://${folder}`);
  }
}

/** Temporary files of living processes are no objects yet; those a killed process left are listed, so that orphan removal finds them. */
function isInFlight(name: string): boolean {
  if (name.endsWith(LOCK_SUFFIX)) return true;
  const pid = TEMPORARY.exec(name)?.[1];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
