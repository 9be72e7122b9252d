import { LakeError } from '../errors.ts';
import { LocalStore } from './local.ts';
import { plainLocation, schemeOf } from './location.ts';
import { MemoryStore } from './memory.ts';
import type { CopyOptions, ObjectHead, ObjectStore, PutOptions, ThawOptions } from './object-store.ts';

/** A store for the locations below a prefix (no slash at its end): a tier's own. */
export interface PrefixStore {
  readonly prefix: string;
  readonly store: ObjectStore;
}

export interface StoreRoutes {
  /** Stores by scheme, in lower case; besides `file` and `memory`. */
  readonly stores?: Readonly<Record<string, ObjectStore>>;
  /** Stores by prefix, which come before the scheme; the longest prefix wins. */
  readonly prefixes?: readonly PrefixStore[];
}

/**
 * One store over all locations of a lake: by the longest prefix, else by scheme: `file` to the local disk, `memory` to this process, or what
 * `stores` gives. Errors: those of `ObjectStore`, and `unsupported` for a location without a store.
 */
export function openStore(routes: StoreRoutes = {}): ObjectStore {
  const stores = { file: new LocalStore(), memory: new MemoryStore(), ...routes.stores };
  return new RoutingStore(stores, routes.prefixes ?? []);
}

class RoutingStore implements ObjectStore {
  readonly #stores: Readonly<Record<string, ObjectStore>>;
  readonly #prefixes: readonly PrefixStore[];

  constructor(stores: Readonly<Record<string, ObjectStore>>, prefixes: readonly PrefixStore[]) {
    this.#stores = stores;
    this.#prefixes = prefixes
      .map(({ prefix, store }) => ({ prefix: plainLocation(prefix), store }))
      .sort((a, b) => b.prefix.length - a.prefix.length);
  }

  async get(location: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array> {
    return this.#of(location).get(location, range);
  }

  async *stream(location: string): AsyncIterable<Uint8Array> {
    yield* this.#of(location).stream(location);
  }

  async put(location: string, bytes: Uint8Array, options?: PutOptions): Promise<ObjectHead> {
    return this.#of(location).put(location, bytes, options);
  }

  async upload(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    options?: CopyOptions,
  ): Promise<ObjectHead> {
    return this.#of(location).upload(location, chunks, options);
  }

  async copy(from: string, to: string, options?: CopyOptions): Promise<ObjectHead> {
    const source = this.#of(from);
    const target = this.#of(to);
    if (source === target) return source.copy(from, to, options);
    // Said of the source here: later a missing one would be blamed on the target.
    await source.head(from);
    return target.upload(to, source.stream(from), options);
  }

  async head(location: string): Promise<ObjectHead> {
    return this.#of(location).head(location);
  }

  async exists(location: string): Promise<boolean> {
    return this.#of(location).exists(location);
  }

  async *list(
    prefix: string,
    options?: { readonly pageSize?: number },
  ): AsyncIterable<readonly ObjectHead[]> {
    yield* this.#of(prefix).list(prefix, options);
  }

  async delete(locations: readonly string[]): Promise<void> {
    const byStore = Map.groupBy(locations, (location) => this.#of(location));
    for (const [store, own] of byStore) await store.delete(own);
  }

  async restore(location: string, options: ThawOptions): Promise<void> {
    return this.#of(location).restore(location, options);
  }

  async checksum(location: string): Promise<string> {
    return this.#of(location).checksum(location);
  }

  #of(location: string): ObjectStore {
    // `s3a://cold/x` lies in the tier `s3://cold`, not in a bucket `cold` of the lake's own server.
    const plain = plainLocation(location);
    const own = this.#prefixes.find(({ prefix }) => plain === prefix || plain.startsWith(`${prefix}/`));
    if (own !== undefined) return own.store;
    const scheme = schemeOf(location);
    const store = Object.hasOwn(this.#stores, scheme) ? this.#stores[scheme] : undefined;
    if (store === undefined) {
      throw new LakeError('unsupported', `This lake has no store for ${location}`, {
        where: location,
        hint: `It knows: ${Object.keys(this.#stores).join(', ')}; for s3:// write "storage" and s3:// tiers into lake.yaml.`,
      });
    }
    return store;
  }
}
