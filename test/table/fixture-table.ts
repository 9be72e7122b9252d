import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { LocalStore } from '../../src/storage/local.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

const ROOT = join(import.meta.dirname, '..', 'fixtures', 'iceberg-java');

/** A golden table of Iceberg Java: its metadata, its objects, and what it holds. */
export interface FixtureTable {
  readonly metadata: TableMetadata;
  readonly objects: ObjectStore;
  readonly localPath: (location: string) => string;
  /** Rows as JSON text, by `current`, snapshot id and `ref:name`. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
}

/** A store that finds the locations inside a fixture's metadata in its folder. */
function mapped(localPath: (location: string) => string): ObjectStore {
  const local = new LocalStore();
  const at = (location: string): string => `file://${localPath(location)}`;
  return {
    get: (location, range) => local.get(at(location), range),
    stream: (location) => local.stream(at(location)),
    put: (location, bytes, options) => local.put(at(location), bytes, options),
    upload: (location, chunks) => local.upload(at(location), chunks),
    copy: (from, to) => local.copy(at(from), at(to)),
    head: (location) => local.head(at(location)),
    exists: (location) => local.exists(at(location)),
    list: (prefix, options) => local.list(at(prefix), options),
    delete: (locations) => local.delete(locations.map(at)),
    checksum: (location) => local.checksum(at(location)),
    restore: (location) => local.restore(at(location)),
  };
}

export async function openFixture(name: string): Promise<FixtureTable> {
  const index: Record<string, { location: string; metadata: string }> = JSON.parse(
    await readFile(join(ROOT, 'index.json'), 'utf8'),
  );
  const { location, metadata } = index[name]!;
  const localPath = (found: string): string => join(ROOT, name) + found.slice(location.length);
  return {
    metadata: parseTableMetadata(await readFile(join(ROOT, name, metadata), 'utf8')),
    objects: mapped(localPath),
    localPath,
    expected: JSON.parse(await readFile(join(ROOT, name, 'expected.json'), 'utf8')),
  };
}
