import { LakeError } from '../errors.ts';
import { LocalStore } from './local.ts';
import { schemeOf } from './location.ts';
import { MemoryStore } from './memory.ts';
import type { ObjectHead, ObjectStore, PutOptions } from './object-store.ts';

/**
 * One store over all locations of a lake, routed by scheme: `file` to the local disk, `memory` to this process, or what
 * `stores` gives. Errors: those of `ObjectStore`, and `unsupported` for a scheme without a store.
 */
export function openStore(
  options: { readonly stores?: Readonly<Record<string, ObjectStore>> } = {},
): ObjectStore {
  return new RoutingStore({ file: new LocalStore(), memory: new MemoryStore(), ...options.stores });
}

class RoutingStore implements ObjectStore {
  readonly #stores: Readonly<Record<string, ObjectStore>>;

  constructor(stores: Readonly<Record<string, ObjectStore>>) {
    this.#stores = stores;
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

  async copy(from: string, to: string): Promise<ObjectHead> {
    const source = this.#of(from);
    const target = this.#of(to);
    if (source === target) return source.copy(from, to);
    return target.put(to, await source.get(from), { if: 'absent' });
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

  async checksum(location: string): Promise<string> {
    return this.#of(location).checksum(location);
  }

  #of(location: string): ObjectStore {
    const scheme = schemeOf(location);
    const store = Object.hasOwn(this.#stores, scheme) ? this.#stores[scheme] : undefined;
    if (store === undefined) {
      throw new LakeError('unsupported', `Locations of the scheme "${scheme}" are not supported yet`, {
        where: location,
        hint: `Use one of: ${Object.keys(this.#stores).join(', ')}.`,
      });
    }
    return store;
  }
}
