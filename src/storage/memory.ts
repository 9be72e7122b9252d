import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import type { ObjectHead, ObjectStore, PutOptions } from './object-store.ts';
import { alreadyExists, changedSince, notFound } from './storage-errors.ts';

interface Stored {
  readonly bytes: Uint8Array;
  readonly head: ObjectHead;
}

/** Objects in memory, for tests: any location is taken as a key. See `ObjectStore` for the promises. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, Stored>();
  readonly #clock: Clock;
  #writes = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async get(location: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array> {
    return this.#stored(location).bytes.slice(range?.start ?? 0, range?.end);
  }

  async *stream(location: string): AsyncIterable<Uint8Array> {
    yield this.#stored(location).bytes.slice();
  }

  async put(location: string, bytes: Uint8Array, options: PutOptions = {}): Promise<ObjectHead> {
    const current = this.#objects.get(location);
    if (options.if === 'absent') {
      if (current !== undefined) throw alreadyExists(location);
    } else if (options.if !== undefined && current?.head.etag !== options.if.etag) {
      throw changedSince(location);
    }
    const head: ObjectHead = {
      location,
      size: bytes.length,
      lastModifiedMs: this.#clock.now(),
      etag: `${++this.#writes}`,
    };
    this.#objects.set(location, { bytes: bytes.slice(), head });
    return head;
  }

  async upload(location: string, chunks: AsyncIterable<Uint8Array>): Promise<ObjectHead> {
    const held: Uint8Array[] = [];
    for await (const chunk of chunks) held.push(chunk.slice());
    return this.put(location, Buffer.concat(held), { if: 'absent' });
  }

  async copy(from: string, to: string): Promise<ObjectHead> {
    return this.put(to, this.#stored(from).bytes, { if: 'absent' });
  }

  async head(location: string): Promise<ObjectHead> {
    return this.#stored(location).head;
  }

  async exists(location: string): Promise<boolean> {
    return this.#objects.has(location);
  }

  async *list(
    prefix: string,
    options: { readonly pageSize?: number } = {},
  ): AsyncIterable<readonly ObjectHead[]> {
    const pageSize = options.pageSize ?? 1000;
    const heads = [...this.#objects.values()]
      .map((stored) => stored.head)
      .filter((head) => head.location.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.location), Buffer.from(b.location)));
    for (let start = 0; start < heads.length; start += pageSize) yield heads.slice(start, start + pageSize);
  }

  async delete(locations: readonly string[]): Promise<void> {
    for (const location of locations) this.#objects.delete(location);
  }

  /** Every object can be read at any time. */
  async restore(location: string): Promise<void> {
    await this.head(location);
  }

  async checksum(location: string): Promise<string> {
    return createHash('sha256').update(this.#stored(location).bytes).digest('hex');
  }

  #stored(location: string): Stored {
    const stored = this.#objects.get(location);
    if (stored === undefined) throw notFound(location);
    return stored;
  }
}
