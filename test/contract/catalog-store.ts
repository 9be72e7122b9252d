import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AppliedRequest, runAs } from '../../catalog/store/applied-request.ts';
import type { SqlStore } from '../../catalog/store/sql-store.ts';
import { byCodePoints, everyPage, NAMESPACE, NOW, openedStores, outcomes, T } from './opened-stores.ts';
/** What the services build on, whatever database keeps it: `place` names a new, empty one. */
export function catalogStoreContract(name: string, place: (folder: string) => string): void {
  describe(`catalog store: ${name}`, () => {
    let store: SqlStore;
    let other: SqlStore;
    openedStores(place, (opened) => {
      ({ store, other } = opened);
    });
    const pointerAt = async () => (await store.findTable(T))?.metadataLocation;

    it('pages through names in the order of their code points, whatever they are', async () => {
      const odd = [
        '\ufffd',
        '\u{10000}',
        'a',
        'A',
        'é',
        'e\u0301',
        ' ',
        '%',
        '_',
        "'",
        '"',
        '\\',
        '\n',
        '\u0001',
        '?1',
        '$1',
        'ß',
        'ss',
      ];
      const names = fc.uniqueArray(
        fc
          .oneof(fc.constantFrom(...odd), fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }))
          .filter((text) => !text.includes('\0') && !text.includes('\u001f')),
        { minLength: 1, maxLength: 12 },
      );
      let round = 0;
      await fc.assert(
        fc.asyncProperty(names, fc.integer({ min: 1, max: 5 }), async (wanted, limit) => {
          const parent = ['paged', `${++round}`];
          await store.createNamespace(parent, {});
          for (const [index, one] of wanted.entries()) {
            await store.createNamespace([...parent, one, 'inner'], { one });
            const pointer = {
              namespace: parent,
              name: one,
              uuid: `${round}-${index}`,
              metadataLocation: one,
            };
            await store.changePointers([{ ...pointer, expected: null }]);
          }
          const sorted = [...wanted].sort(byCodePoints);
          expect(await everyPage((page) => store.listTables(parent, page), limit)).toEqual(sorted);
          expect(await everyPage((page) => store.listNamespaces(parent, page), limit)).toEqual(
            sorted.map((one) => [...parent, one]),
          );
          for (const one of wanted) {
            expect((await store.findTable({ namespace: parent, name: one }))?.metadataLocation).toBe(one);
          }
        }),
        { numRuns: 15 },
      );
      expect(await store.listNamespaces([], {})).toEqual({ rows: [['n'], ['paged']], next: null });
    });

    it('refuses text that not every database can hold, before anything is applied', async () => {
      for (const text of ['a\0b', '\ud800', 'x\udc00']) {
        const refusal = { kind: 'invalid-argument' };
        await expect(store.createNamespace([text], {})).rejects.toMatchObject(refusal);
        await expect(store.findTable({ namespace: NAMESPACE, name: text })).rejects.toMatchObject(refusal);
        const change = { ...T, metadataLocation: text, expected: 'm0' };
        await expect(store.changePointers([change])).rejects.toMatchObject(refusal);
      }
      expect(await pointerAt()).toBe('m0');
      const properties = { k: 'a\0b\ud800' };
      await store.createNamespace(['p'], properties);
      expect(await store.loadNamespace(['p'])).toEqual(properties);
    });

    it('lets one of many racing changes of a pointer win, from any server', async () => {
      for (let round = 0; round < 5; round++) {
        const racing = Array.from({ length: 24 }, (_, index) => {
          const change = {
            ...T,
            metadataLocation: `m${round + 1}-${index}`,
            expected: round === 0 ? 'm0' : `won${round}`,
          };
          return (index % 2 === 0 ? store : other).changePointers([change]);
        });
        const told = await outcomes(racing);
        expect(told.filter((one) => one === 'done')).toHaveLength(1);
        expect(told.filter((one) => one === 'conflict')).toHaveLength(23);
        expect(await pointerAt()).toBe(`m${round + 1}-${told.indexOf('done')}`);
        const won = {
          ...T,
          expected: `m${round + 1}-${told.indexOf('done')}`,
          metadataLocation: `won${round + 1}`,
        };
        await other.changePointers([won]);
      }
    });

    it('tells each of the changes that are committed together its own outcome', async () => {
      const named = (index: number) => ({ namespace: NAMESPACE, name: `g${index}`, uuid: `g${index}` });
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.changePointers([{ ...named(index), metadataLocation: 'a', expected: null }]),
        ),
      );
      const told = await outcomes(
        Array.from({ length: 20 }, (_, index) => {
          const second = { ...T, metadataLocation: `m${index}`, expected: index % 3 === 0 ? 'none' : 'm0' };
          const first = { ...named(index), metadataLocation: 'b', expected: 'a' };
          // Only the first that names the table as it is may take it; the others lose their own change with it.
          return store.changePointers(index % 2 === 0 ? [first] : [first, second]);
        }),
      );
      const winner = told.findIndex((one, index) => index % 2 === 1 && one === 'done');
      for (const [index, one] of told.entries()) {
        const isDone = index % 2 === 0 || index === winner;
        expect(one).toBe(isDone ? 'done' : 'conflict');
        expect((await store.findTable(named(index)))?.metadataLocation).toBe(isDone ? 'b' : 'a');
      }
      expect(await pointerAt()).toBe(`m${winner}`);
    });

    it('notes the key of each request with its own change, once', async () => {
      const request = (key: string): AppliedRequest => ({
        key,
        digest: key,
        createdAtMs: NOW,
        noted: false,
        replayed: false,
      });
      const commit = (of: AppliedRequest, on: SqlStore, name: string) =>
        runAs([of], () =>
          on.changePointers([
            { namespace: NAMESPACE, name, uuid: name, metadataLocation: 'm', expected: null },
          ]),
        );
      const requests = Array.from({ length: 12 }, (_, index) => request(`k${index}`));
      await Promise.all(requests.map((one, index) => commit(one, store, `i${index}`)));
      for (const { key, noted } of requests) {
        expect(noted).toBe(true);
        expect(await store.findIdempotencyRecord(key)).toMatchObject({ digest: key, status: null });
      }
      // The same request at two servers at once: one of them applies it.
      const [one, two] = [request('same'), request('same')];
      const told = await outcomes([commit(one, store, 'x1'), commit(two, other, 'x2')]);
      expect(told.sort()).toEqual(['done', 'unavailable']);
      expect([one.noted, two.noted].sort()).toEqual([false, true]);
      const found = await Promise.all(
        ['x1', 'x2'].map((name) => store.findTable({ namespace: NAMESPACE, name })),
      );
      expect(found.filter((pointer) => pointer !== null)).toHaveLength(1);
      // A refused change notes nothing.
      const refused = request('refused');
      await expect(commit(refused, store, 't')).rejects.toMatchObject({ kind: 'already-exists' });
      expect(refused.noted).toBe(false);
      expect(await store.findIdempotencyRecord('refused')).toBeNull();
    });

    it('keeps answers of requests, and forgets old ones', async () => {
      const record = { key: 'a', digest: 'd', createdAtMs: NOW, status: 200, body: '{"a":1}' };
      await store.saveIdempotencyRecord(record, 0);
      await store.saveIdempotencyRecord({ ...record, digest: 'other', status: 409 }, 0);
      expect(await other.findIdempotencyRecord('a')).toEqual(record);
      await store.saveIdempotencyRecord({ ...record, key: 'b', createdAtMs: NOW + 3_600_000 }, NOW + 1);
      expect(await other.findIdempotencyRecord('a')).toBeNull();
      expect(await other.findIdempotencyRecord('b')).not.toBeNull();
    });

    it('gives a name to one table or view, and a uuid to one table, however many ask at once', async () => {
      const asked = Array.from({ length: 12 }, (_, index) => {
        const on = index % 2 === 0 ? store : other;
        const change = {
          namespace: NAMESPACE,
          name: 'same',
          uuid: `s${index}`,
          metadataLocation: 'm',
          expected: null,
        };
        return index % 3 === 0 ? on.changeView(change) : on.changePointers([change]);
      });
      expect((await outcomes(asked)).filter((one) => one === 'done')).toHaveLength(1);
      const registered = Array.from({ length: 12 }, (_, index) => {
        const change = {
          namespace: NAMESPACE,
          name: `r${index}`,
          uuid: 'shared',
          metadataLocation: 'm',
          expected: null,
        };
        return (index % 2 === 0 ? store : other).registerTable(change, null);
      });
      const told = await outcomes(registered);
      expect(told.filter((one) => one === 'done')).toHaveLength(1);
      expect(told.filter((one) => one === 'already-exists')).toHaveLength(11);
      expect((await store.allTables()).map(({ uuid }) => uuid).sort()).toEqual(
        [...new Set((await store.allTables()).map(({ uuid }) => uuid))].sort(),
      );
    });

    it('drops no namespace that a table is made in at the same time', async () => {
      for (let round = 0; round < 8; round++) {
        const namespace = [`d${round}`];
        await store.createNamespace(namespace, {});
        const change = { namespace, name: 't', uuid: `d${round}`, metadataLocation: 'm', expected: null };
        const told = await outcomes([store.dropNamespace(namespace), other.changePointers([change])]);
        expect([
          ['done', 'not-found'],
          ['not-empty', 'done'],
        ]).toContainEqual(told);
      }
    });

    it('lets a new table of the same namespace take the place of a dropped one, which then cannot come back', async () => {
      await store.createNamespace(['other'], {});
      const place = { place: 'file:/x/t/', location: 'file:///x/t', uuids: [], mayInherit: true };
      const made = (name: string, over: object = {}) =>
        store.changePointers([
          {
            namespace: NAMESPACE,
            name,
            uuid: name,
            metadataLocation: 'm',
            expected: null,
            places: [place],
            ...over,
          },
        ]);
      const drop = (name: string, id: string) =>
        store.dropTable(
          { namespace: NAMESPACE, name },
          { expected: null, record: { id, nowMs: NOW, state: 'dropped' } },
        );
      const refusal = { kind: 'invalid-argument' };
      await made('a');
      await expect(made('b')).rejects.toMatchObject(refusal);
      await drop('a', 'da');
      await expect(made('b', { namespace: ['other'] })).rejects.toMatchObject(refusal);
      const inside = { ...place, place: 'file:/x/t/inside/' };
      const around = { ...place, place: 'file:/x/' };
      for (const near of [inside, around]) {
        await expect(made('b', { places: [near] })).rejects.toMatchObject(refusal);
        expect(await store.takenPlace({ kind: 'table', uuid: 'b' }, [near])).toEqual(near);
      }
      // An existing table does not come to lie there by a commit.
      await expect(
        store.changePointers([
          { ...T, metadataLocation: 'm1', expected: 'm0', places: [{ ...place, mayInherit: false }] },
        ]),
      ).rejects.toMatchObject(refusal);
      expect(await pointerAt()).toBe('m0');
      expect(await store.takenPlace({ kind: 'table', uuid: 'b' }, [place])).toBeNull();
      await made('b');
      await expect(made('c')).rejects.toMatchObject(refusal);
      await expect(other.undrop('da', null)).rejects.toMatchObject({ kind: 'conflict' });
      expect(await store.findTable({ namespace: NAMESPACE, name: 'a' })).toBeNull();
      await drop('b', 'db');
      await store.startPurge('db');
      await store.setPurgeState('db', { state: 'purged', note: null });
      await other.undrop('da', null);
    });

    it('applies no change in maintenance, and tells of it only when none is under way', async () => {
      const racing = Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? store : other).createNamespace([`z${index}`], {}),
      );
      const switched = store.setMaintenance({ sinceMs: NOW, reason: 'backup' });
      const told = outcomes(racing);
      await switched;
      const seen = (await other.listNamespaces([], {})).rows.length;
      const done = (await told).filter((one) => one === 'done').length;
      expect((await told).every((one) => one === 'done' || one === 'unavailable')).toBe(true);
      expect(seen).toBe(done + 1);
      const change = { ...T, metadataLocation: 'm1', expected: 'm0' };
      await expect(other.changePointers([change])).rejects.toMatchObject({ kind: 'unavailable' });
      await other.setMaintenance(null);
      await store.changePointers([change]);
      expect(await pointerAt()).toBe('m1');
    });
  });
}
