import type { ObjectStore } from '../../src/storage/object-store.ts';

/** The store, with a look at every location that is written to or deleted from. */
export function recordedStore(store: ObjectStore, changes: (location: string) => void): ObjectStore {
  return {
    get: (location, range) => store.get(location, range),
    stream: (location) => store.stream(location),
    put: (location, bytes, options) => {
      changes(location);
      return store.put(location, bytes, options);
    },
    upload: (location, chunks, options) => {
      changes(location);
      return store.upload(location, chunks, options);
    },
    copy: (from, to, options) => {
      changes(to);
      return store.copy(from, to, options);
    },
    head: (location) => store.head(location),
    exists: (location) => store.exists(location),
    list: (prefix, options) => store.list(prefix, options),
    delete: (locations) => {
      for (const location of locations) changes(location);
      return store.delete(locations);
    },
    checksum: (location) => store.checksum(location),
    restore: (...request) => store.restore(...request),
  };
}
