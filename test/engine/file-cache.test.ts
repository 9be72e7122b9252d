import { access, mkdir, mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileCache } from '../../src/engine/file-cache.ts';
import { MemoryStore } from '../../src/storage/memory.ts';

const at = (name: string) => `memory://lake/${name}`;

class CountingStore extends MemoryStore {
  reads = 0;
  override async *stream(location: string): AsyncIterable<Uint8Array> {
    this.reads++;
    yield* super.stream(location);
  }
}

describe('FileCache', () => {
  let folder: string;
  let store: CountingStore;
  const opened: FileCache[] = [];
  const open = (sizeBytes = 100): FileCache => {
    const cache = new FileCache({ objects: store, folder, sizeBytes });
    opened.push(cache);
    return cache;
  };
  const text = async (cache: FileCache, owner: string, name: string) =>
    readFile((await cache.pin(owner, [at(name)])).get(at(name)) ?? '', 'utf8');
  const kept = async () => (await readdir(join(folder, 'objects'))).length;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-cache-'));
    store = new CountingStore();
    for (const name of ['a', 'b', 'c', 'd']) await store.put(at(name), Buffer.from(name.repeat(40)));
  });
  afterEach(async () => {
    for (const cache of opened.splice(0)) await cache.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('fetches once, for every query and engine after, and anew what has changed', async () => {
    const cache = open();
    expect(await text(cache, 'v', 'a')).toBe('a'.repeat(40));
    await cache.release('v');
    expect(await text(cache, 'w', 'a')).toBe('a'.repeat(40));
    expect(await text(open(), 'v', 'a')).toBe('a'.repeat(40));
    expect(store.reads).toBe(1);
    await store.put(at('a'), Buffer.from('new'));
    expect(await text(open(), 'v', 'a')).toBe('new');
  });

  it('fetches again what a stopped machine has left without its bytes', async () => {
    await text(open(), 'v', 'a');
    await opened.pop()?.close();
    for (const name of await readdir(join(folder, 'objects')))
      await truncate(join(folder, 'objects', name), 0);
    expect(await text(open(), 'v', 'a')).toBe('a'.repeat(40));
    expect(await text(open(), 'v', 'a')).toBe('a'.repeat(40));
    expect(store.reads).toBe(2);
  });

  it('evicts what was used least recently, and never what is in use', async () => {
    const cache = open();
    const { value: path } = (await cache.pin('kept', [at('a')])).values().next();
    await text(cache, 'v', 'b');
    await text(cache, 'v', 'c');
    expect(await kept()).toBe(2);
    expect(await readFile(path ?? '', 'utf8')).toBe('a'.repeat(40));
    // `a` and `c` are in use by one engine, so `d` does not fit for another.
    await expect(open().pin('v', [at('d')])).rejects.toMatchObject({
      kind: 'unavailable',
      hint: expect.stringContaining('engine.cache_size'),
    });
    await cache.release('v');
    expect(await text(open(), 'v', 'd')).toBe('d'.repeat(40));
    store.reads = 0;
    await text(cache, 'w', 'a');
    expect(store.reads).toBe(0);
  });

  it('reads on what another process evicts meanwhile', async () => {
    const cache = open();
    const paths = await cache.pin('v', [at('a'), at('b')]);
    await rm(join(folder, 'objects'), { recursive: true });
    await mkdir(join(folder, 'objects'));
    expect(await readFile(paths.get(at('b')) ?? '', 'utf8')).toBe('b'.repeat(40));
    expect(await text(cache, 'w', 'b')).toBe('b'.repeat(40));
  });

  it('lets many engines fetch the same files at once', async () => {
    const caches = Array.from({ length: 6 }, () => open(1000));
    const found = await Promise.all(
      caches.flatMap((cache) => ['a', 'b', 'c'].map((name) => text(cache, name, name))),
    );
    expect(found).toEqual(caches.flatMap(() => ['a', 'b', 'c'].map((name) => name.repeat(40))));
    expect(await kept()).toBe(3);
  });

  it('leaves nothing half-fetched, removes what dead processes left, and keeps what living ones hold', async () => {
    const host = hostname().replaceAll(/[^A-Za-z0-9]/g, '_');
    const pins = join(folder, 'pins');
    for (const name of [`${host}-999999999-x`, `${host}-1-x`, 'elsewhere-999999999-x']) {
      await mkdir(join(pins, name), { recursive: true });
    }
    store.stream = async function* () {
      yield Buffer.from('a');
      throw new Error('broken off');
    };
    const cache = open();
    await expect(cache.pin('v', [at('a')])).rejects.toThrow('broken off');
    expect(await kept()).toBe(0);
    await cache.close();
    expect((await readdir(pins)).sort()).toEqual(['elsewhere-999999999-x', `${host}-1-x`]);
    await expect(access(join(folder, 'objects', 'x'))).rejects.toThrow();
  });
});
