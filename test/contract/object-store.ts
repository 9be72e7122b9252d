import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectHead, ObjectStore } from '../../src/storage/object-store.ts';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** An empty prefix, ending in a slash. */
  readonly root: string;
  dispose(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const NAMES = [
  'a b',
  'a%20b',
  'a+b',
  'a=1/b',
  'ünïcode-日本-😀',
  'x#y?z&w',
  'quo\'te"d',
  'deep/er/still',
  '.dot',
];

/** What every `ObjectStore` has to keep. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`object store contract: ${name}`, () => {
    let under: StoreUnderTest;
    let at: (key: string) => string;
    beforeEach(async () => {
      under = await open();
      at = (key) => under.root + key;
    });
    afterEach(() => under.dispose());

    const listed = async (prefix: string, pageSize?: number): Promise<ObjectHead[][]> => {
      const pages: ObjectHead[][] = [];
      for await (const page of under.store.list(prefix, pageSize === undefined ? {} : { pageSize }))
        pages.push([...page]);
      return pages;
    };

    it('gives back what was put, whole, by range and as a stream', async () => {
      const { store } = under;
      await store.put(at('f'), bytes('0123456789'));
      expect(text(await store.get(at('f')))).toBe('0123456789');
      expect(text(await store.get(at('f'), { start: 2, end: 5 }))).toBe('234');
      expect(text(await store.get(at('f'), { start: 8, end: 99 }))).toBe('89');
      expect((await store.get(at('f'), { start: 99, end: 120 })).length).toBe(0);
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.stream(at('f'))) chunks.push(chunk);
      expect(text(Buffer.concat(chunks))).toBe('0123456789');
      expect(await store.checksum(at('f'))).toBe(createHash('sha256').update('0123456789').digest('hex'));
      expect((await store.head(at('f'))).size).toBe(10);
      await store.put(at('empty'), new Uint8Array());
      expect((await store.get(at('empty'))).length).toBe(0);
    });

    it('keeps every name apart and raw', async () => {
      const { store } = under;
      for (const key of NAMES) await store.put(at(key), bytes(key), { if: 'absent' });
      for (const key of NAMES) expect(text(await store.get(at(key)))).toBe(key);
      const found = (await listed(under.root)).flat().map((head) => head.location);
      expect(new Set(found)).toEqual(new Set(NAMES.map(at)));
    });

    it('puts only when absent, and lets one of many racers win', async () => {
      const { store } = under;
      const racers = Array.from({ length: 8 }, (_, i) =>
        store.put(at('one'), bytes(`${i}`), { if: 'absent' }),
      );
      const outcomes = await Promise.allSettled(racers);
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(text(await store.get(at('one')))).toBe(`${winners[0]}`);
      await expect(store.put(at('one'), bytes('x'), { if: 'absent' })).rejects.toMatchObject({
        kind: 'already-exists',
      });
    });

    it('replaces by etag only what has not changed', async () => {
      const { store } = under;
      const first = await store.put(at('p'), bytes('1'));
      const second = await store.put(at('p'), bytes('2'), { if: { etag: first.etag } });
      expect(second.etag).not.toBe(first.etag);
      const stale = store.put(at('p'), bytes('3'), { if: { etag: first.etag } });
      await expect(stale).rejects.toMatchObject({ kind: 'conflict' });
      expect(text(await store.get(at('p')))).toBe('2');
      const absent = store.put(at('none'), bytes('3'), { if: { etag: first.etag } });
      await expect(absent).rejects.toMatchObject({ kind: 'conflict' });
    });

    it('copies to an object of its own, never over another', async () => {
      const { store } = under;
      await store.put(at('from'), bytes('abc'));
      const copy = await store.copy(at('from'), at('new folder/to'));
      expect(copy).toMatchObject({ location: at('new folder/to'), size: 3 });
      await store.put(at('from'), bytes('changed'));
      expect(text(await store.get(at('new folder/to')))).toBe('abc');
      await store.delete([at('from')]);
      expect(text(await store.get(at('new folder/to')))).toBe('abc');
      const over = store.copy(at('new folder/to'), at('new folder/to'));
      await expect(over).rejects.toMatchObject({ kind: 'already-exists' });
      await expect(store.copy(at('gone'), at('x'))).rejects.toMatchObject({ kind: 'not-found' });
      expect(await store.exists(at('x'))).toBe(false);
    });

    it('lists by prefix in byte order, page by page', async () => {
      const { store } = under;
      const keys = ['t/a-', 't/a/b', 't/a0', 't/a00', 't/b', 't2/a', 'u'];
      for (const key of keys.toReversed()) await store.put(at(key), bytes(key));
      const pages = await listed(at('t'), 2);
      expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
      expect(pages.flat().map((head) => head.location)).toEqual(
        ['t/a-', 't/a/b', 't/a0', 't/a00', 't/b', 't2/a'].map(at),
      );
      expect((await listed(at('t/'))).flat()).toHaveLength(5);
      expect(await listed(at('nothing/here'))).toEqual([]);
    });

    it('says not-found for what is not there, prefixes included', async () => {
      const { store } = under;
      await store.put(at('folder/file'), bytes('x'));
      for (const location of [at('none'), at('folder'), at('folder/file/below')]) {
        await expect(store.get(location)).rejects.toMatchObject({ kind: 'not-found' });
        await expect(store.head(location)).rejects.toMatchObject({ kind: 'not-found' });
        await expect(store.checksum(location)).rejects.toMatchObject({ kind: 'not-found' });
        expect(await store.exists(location)).toBe(false);
      }
    });

    it('deletes many, gone ones included', async () => {
      const { store } = under;
      await store.put(at('1'), bytes('1'));
      await store.put(at('2'), bytes('2'));
      await store.delete([at('1'), at('never'), at('2')]);
      expect(await listed(under.root)).toEqual([]);
    });
  });
}
