import { describe, expect, it } from 'vitest';
import type { Move, Relocation } from '../../catalog/store/catalog-store.ts';
import type { SqlStore } from '../../catalog/store/sql-store.ts';
import { byCodePoints, everyPage, NAMESPACE, NOW, openedStores, outcomes, T } from './opened-stores.ts';

const RELOCATION: Relocation = {
  id: 'r1',
  leaseId: 'l1',
  namespace: NAMESPACE,
  name: 't',
  tableUuid: 'u',
  graceMs: 1000,
  plan: { why: 'é\u{10000}' },
  state: 'copying',
  createdAtMs: NOW,
  swappedAtMs: null,
};

const movesTo = (count: number, kind: Move['kind'] = 'data'): Move[] =>
  Array.from({ length: count }, (_, at) => ({
    from: `file:///hot/${at}`,
    to: `file:///warm/${at}`,
    kind,
    size: 9_007_199_254_740_991 - at,
    fromTier: 'hot',
    toTier: null,
  }));

/** Leases, journal, ledger and drops, whatever database keeps them. */
export function relocationStoreContract(name: string, place: (folder: string) => string): void {
  describe(`relocation store: ${name}`, () => {
    let store: SqlStore;
    let other: SqlStore;
    openedStores(place, (opened) => {
      ({ store, other } = opened);
    });

    it('leases a table to one at a time', async () => {
      const lease = (id: string, expiresAtMs: number) => ({ id, expiresAtMs, tableUuid: 'u', holder: id });
      const told = await outcomes(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? store : other).acquireLease(lease(`l${index}`, NOW + 100), NOW),
        ),
      );
      expect(told.filter((one) => one === 'done')).toHaveLength(1);
      const holder = `l${told.indexOf('done')}`;
      await expect(other.acquireLease(lease('late', NOW + 300), NOW + 99)).rejects.toMatchObject({
        kind: 'conflict',
        message: `The table is leased by ${holder}`,
      });
      await other.renewLease({ id: holder, expiresAtMs: NOW + 200 });
      await expect(store.acquireLease(lease('late', NOW + 300), NOW + 150)).rejects.toMatchObject({
        kind: 'conflict',
      });
      await store.acquireLease(lease('late', NOW + 300), NOW + 200);
      await expect(store.renewLease({ id: holder, expiresAtMs: NOW + 400 })).rejects.toMatchObject({
        kind: 'conflict',
      });
      expect(await other.isLeased('u', NOW + 299)).toBe(true);
      await store.releaseLease('late');
      expect(await other.isLeased('u', NOW + 299)).toBe(false);
    });

    it('journals more moves than one statement takes, twice if need be, and swaps them into the ledger', async () => {
      const moves = movesTo(1300);
      const held = { leaseId: 'l1', nowMs: NOW };
      await store.acquireLease({ id: 'l1', expiresAtMs: NOW + 1000, tableUuid: 'u', holder: 'x' }, NOW);
      await store.createRelocation(RELOCATION);
      expect(await other.getRelocation('r1')).toEqual(RELOCATION);
      await store.addMoves('r1', moves, held);
      await other.addMoves('r1', moves.slice(700), held);
      expect(await everyPage((page) => store.listMoves('r1', page), 400)).toEqual(moves);
      const stolen = { ...movesTo(1)[0], from: 'file:///elsewhere' } as Move;
      await expect(store.addMoves('r1', [...movesTo(2), stolen], held)).rejects.toMatchObject({
        kind: 'conflict',
      });

      const pointer = { ...T, metadataLocation: 'm1', expected: 'm0' };
      const swap = {
        relocationId: 'r1',
        leaseId: 'l1',
        pointer,
        retired: [],
        fences: [{ ref: 'main', snapshotId: 2n ** 62n }],
        afterSequenceNumber: 7,
        nowMs: NOW,
      };
      expect(await outcomes([store.swap(swap), other.swap(swap)])).toEqual(
        expect.arrayContaining(['done', 'conflict']),
      );
      const olds = moves.map(({ from }) => from);
      expect((await other.retiredAmong('u', [...olds, 'file:///none'])).length).toBe(1300);
      expect(
        (
          await other.dataMovedTo(
            'u',
            moves.map(({ to }) => to),
            NOW,
          )
        ).length,
      ).toBe(1300);
      expect(
        await other.dataMovedTo(
          'u',
          moves.map(({ to }) => to),
          NOW + 1000,
        ),
      ).toEqual([]);
      expect(await other.retiredBetween('u', 'file:///hot/5', 'file:///hot/5')).toEqual(['file:///hot/5']);
      expect(await other.guardedFences('u', NOW)).toEqual([
        { ref: 'main', snapshotId: 2n ** 62n, untilMs: NOW + 1000, afterSequenceNumber: 7 },
      ]);
      const due = await everyPage(
        (page) => store.listLedger({ tableUuid: 'u', dueBeforeMs: NOW + 1000 }, page),
        500,
      );
      expect(due.map(({ location }) => location)).toEqual(olds);
      await store.markDeleted(olds.slice(0, 1000), NOW);
      expect((await other.listLedger({}, {})).rows).toHaveLength(300);
      expect(await other.hasMoved('u')).toBe(true);
    });

    it('takes a relocation through its states, in their order only', async () => {
      await store.acquireLease({ id: 'l1', expiresAtMs: NOW + 1000, tableUuid: 'u', holder: 'x' }, NOW);
      await store.createRelocation(RELOCATION);
      const go = (state: 'rolled-back' | 'finished' | 'cleaned', leaseId: string | null = null) =>
        store.setRelocationState('r1', { state, leaseId, nowMs: NOW });
      await expect(go('cleaned')).rejects.toMatchObject({ kind: 'conflict' });
      await expect(go('finished')).rejects.toMatchObject({ kind: 'conflict' });
      await expect(go('rolled-back')).rejects.toMatchObject({ kind: 'conflict' });
      await go('rolled-back', 'l1');
      await go('cleaned');
      await go('cleaned');
      await expect(go('rolled-back', 'l1')).rejects.toMatchObject({ kind: 'conflict' });
      expect((await other.listRelocations({ state: 'cleaned' })).map(({ id }) => id)).toEqual(['r1']);
      expect(await other.listRelocations({ state: 'copying', tableUuid: 'u' })).toEqual([]);
      expect(await other.listRelocations({ tableUuid: 'u' })).toHaveLength(1);
    });

    it('keeps the newest reports of a table, in the order they came', async () => {
      for (let index = 0; index < 8; index++) {
        const report = {
          namespace: NAMESPACE,
          name: 't',
          tableUuid: 'u',
          receivedAtMs: NOW,
          report: `{"at":${index}}`,
        };
        await (index % 2 === 0 ? store : other).addMetricsReport(report, 5);
      }
      const kept = await everyPage((page) => store.listMetricsReports('u', page), 2);
      expect(kept.map(({ report }) => report)).toEqual([3, 4, 5, 6, 7].map((index) => `{"at":${index}}`));
    });

    it('remembers drops, brings them back, and purges more files than one statement takes', async () => {
      await store.dropTable(T, { expected: null, record: { id: 'd1', nowMs: NOW, state: 'dropped' } });
      expect((await other.allStanding()).map(({ kind, uuid }) => `${kind} ${uuid}`)).toEqual(['dropped u']);
      await store.undrop('d1', { ...T, name: 'back' });
      await expect(store.undrop('d1', null)).rejects.toMatchObject({ kind: 'not-found' });
      const record = { id: 'd2', nowMs: NOW, state: 'dropped' } as const;
      await store.dropTable({ ...T, name: 'back' }, { expected: 'm0', record });
      expect(await outcomes([store.startPurge('d2'), other.undrop('d2', null)])).toEqual(
        expect.arrayContaining(['done']),
      );
      const isPurging = (await store.getDropped('d2').catch(() => null))?.state === 'purging';
      if (!isPurging) return;
      const files = Array.from({ length: 1100 }, (_, index) => ({
        object: `o${index}`,
        location: `l${index}`,
      }));
      await store.addPurgeFiles('d2', files);
      await other.addPurgeFiles('d2', files.slice(500));
      expect((await store.nextPurgeFiles('d2', 2000)).map(({ object }) => object)).toEqual(
        files.map(({ object }) => object).sort(byCodePoints),
      );
      expect(
        await other.removePurgeFiles(
          'd2',
          files.slice(0, 600).map(({ object }) => object),
        ),
      ).toBe(600);
      await store.setPurgeState('d2', { state: 'purged', note: null });
      expect(await store.nextPurgeFiles('d2', 10)).toEqual([]);
      expect((await everyPage((page) => store.listDropped(['purged', 'listed'], page), 1))[0]?.id).toBe('d2');
    });
  });
}
