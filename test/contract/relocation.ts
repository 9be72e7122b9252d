import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { type CatalogUnderTest, commitSnapshot, fileAt, newTable, stageSnapshot } from '../catalog/lake.ts';

/** Leases, journal, swap and ledger of a catalog, whatever keeps them. */
export function relocationContract(name: string, open: (clock: Clock) => Promise<CatalogUnderTest>): void {
  describe(`relocation: ${name}`, () => {
    const T = { namespace: ['n'], name: 't' };
    const OLD = 'file:///lake/n/t/hot/data/2.parquet';
    const GRACE_MS = 1000;

    let now: number;
    let under: CatalogUnderTest;
    let table: LoadedTable;
    beforeEach(async () => {
      now = systemClock.now();
      const clock: Clock = { ...systemClock, now: () => now };
      under = await open(clock);
      const created = await newTable(under.catalog, T, { 'write.data.path': 'file:///lake/n/t' });
      table = await commitSnapshot(
        under.catalog,
        created,
        await stageSnapshot(under.objects, created, [fileAt(OLD)], 11n),
      );
    });
    afterEach(() => under.dispose());

    const lake = <R>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) =>
      under.catalog.extension<R>(method, `/lake/v1/${path}`, body);

    async function lease(holder = 'test', ttlMs = 60_000): Promise<string> {
      const body = { 'table-uuid': table.metadata['table-uuid'], holder, 'ttl-ms': ttlMs };
      return (await lake<{ 'lease-id': string }>('POST', 'leases', body))['lease-id'];
    }

    async function begin(id: string): Promise<string> {
      const leaseId = await lease();
      await lake('POST', 'relocations', {
        'relocation-id': id,
        'lease-id': leaseId,
        namespace: T.namespace,
        table: T.name,
        'table-uuid': table.metadata['table-uuid'],
        'grace-ms': GRACE_MS,
        plan: { why: 'test' },
      });
      const moves = [
        { from: OLD, to: `file:///lake/n/t/warm/${id}/2.parquet`, kind: 'data', size: 10, 'to-tier': 'warm' },
        { from: manifestOf(11n), to: `file:///lake/n/t/${id}/m.avro`, kind: 'manifest', size: 5 },
      ];
      await lake('POST', `relocations/${id}/moves`, { 'lease-id': leaseId, moves });
      return leaseId;
    }

    const manifestOf = (snapshotId: bigint) => `${table.metadata.location}/metadata/m-${snapshotId}.avro`;

    /** A swap of a table with one snapshot, whose new manifest list names another file. */
    async function swapBody(leaseId: string, fenceId = 12n) {
      const fence: Snapshot = {
        ...(await stageSnapshot(under.objects, table, [fileAt('file:///lake/n/t/warm/2.parquet')], fenceId)),
        summary: { operation: 'replace' },
      };
      return {
        'lease-id': leaseId,
        'base-metadata-location': table.metadataLocation,
        snapshots: [{ 'snapshot-id': 11n, 'manifest-list': fence['manifest-list'] }],
        fences: [{ ref: 'main', snapshot: fence }],
        retired: [{ location: 'file:///lake/n/t/old-list.avro', kind: 'manifest-list' }],
      };
    }

    it('swaps history, fence, state and ledger at once, and only from the base it was made for', async () => {
      const leaseId = await begin('r1');
      const body = await swapBody(leaseId);
      const stale = { ...body, 'base-metadata-location': 'file:///another' };
      await expect(lake('POST', 'relocations/r1/swap', stale)).rejects.toMatchObject({ kind: 'conflict' });
      await expect(
        lake('POST', 'relocations/r1/swap', { ...body, 'lease-id': 'none' }),
      ).rejects.toMatchObject({
        kind: 'conflict',
      });
      expect((await under.catalog.loadTable(T)).metadataLocation).toBe(table.metadataLocation);
      await lake('POST', 'relocations/r1/swap', body);

      const { metadata } = await under.catalog.loadTable(T);
      const [moved, fence] = metadata.snapshots;
      const original = table.metadata.snapshots[0];
      expect(moved).toEqual({ ...original, 'manifest-list': body.snapshots[0]?.['manifest-list'] });
      expect(fence).toMatchObject({ 'snapshot-id': 12n, 'parent-snapshot-id': 11n, 'sequence-number': 2 });
      expect(metadata['current-snapshot-id']).toBe(12n);
      expect(metadata['last-sequence-number']).toBe(2);
      expect(await lake('GET', 'relocations/r1')).toMatchObject({ state: 'swapped', plan: { why: 'test' } });
      await expect(lake('POST', 'relocations/r1/swap', body)).rejects.toMatchObject({ kind: 'conflict' });
      await expect(lake('POST', 'relocations/r1/state', { state: 'rolled-back' })).rejects.toMatchObject({
        kind: 'conflict',
      });

      expect((await ledger(now)).length).toBe(0);
      const due = await ledger(now + GRACE_MS);
      expect(due).toEqual([OLD, manifestOf(11n), 'file:///lake/n/t/old-list.avro']);
      await lake('POST', 'ledger/deleted', { locations: [OLD] });
      expect(await ledger(now + GRACE_MS)).toHaveLength(2);
    });

    async function ledger(dueBeforeMs: number): Promise<string[]> {
      type Ledger = { entries: { location: string }[]; 'next-page-token': string | null };
      const found: string[] = [];
      let token = '';
      for (;;) {
        const page = await lake<Ledger>(
          'GET',
          `ledger?due-before-ms=${dueBeforeMs}&page-size=2&page-token=${token}`,
        );
        found.push(...page.entries.map((entry) => entry.location));
        if (page['next-page-token'] === null) return found;
        token = page['next-page-token'];
      }
    }

    it('turns away writers that still name what has moved, for ever', async () => {
      await lake('POST', 'relocations/r1/swap', await swapBody(await begin('r1')));
      await lake('POST', 'ledger/deleted', { locations: [OLD, manifestOf(11n)] });
      now += 10 * GRACE_MS;
      const current = await under.catalog.loadTable(T);
      const bound = (text: string) => new Map([[2147483546, new TextEncoder().encode(text)]]);
      const deletes = (over: object) =>
        fileAt('file:///lake/n/t/hot/d.parquet', { content: 'position-deletes', ...over });
      const attempts = [
        fileAt(OLD),
        deletes({ referencedDataFile: OLD }),
        deletes({ fileFormat: 'orc', lowerBounds: bound(OLD), upperBounds: bound(OLD) }),
      ];
      for (const [at, file] of attempts.entries()) {
        const snapshot = await stageSnapshot(under.objects, current, [file], BigInt(100 + at));
        await expect(commitSnapshot(under.catalog, current, snapshot)).rejects.toMatchObject({
          kind: at === 2 ? 'unsupported' : 'conflict',
        });
      }
      const stale = await stageSnapshot(under.objects, table, [fileAt('file:///lake/n/t/hot/new')], 200n);
      await expect(commitSnapshot(under.catalog, table, stale)).rejects.toMatchObject({ kind: 'conflict' });
      const beside = deletes({ lowerBounds: bound('file:///z'), upperBounds: bound('file:///z') });
      const fine = await stageSnapshot(under.objects, current, [beside], 300n);
      await commitSnapshot(under.catalog, current, fine);
    });

    it('guards the fence during grace only', async () => {
      await lake('POST', 'relocations/r1/swap', await swapBody(await begin('r1')));
      const back = {
        identifier: T,
        requirements: [],
        updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 11n }],
      } as const;
      await expect(under.catalog.commitTable(back)).rejects.toMatchObject({ kind: 'invalid-argument' });
      await expect(under.catalog.commitTransaction([back])).rejects.toMatchObject({
        kind: 'invalid-argument',
      });
      now += GRACE_MS;
      expect((await under.catalog.commitTable(back)).metadata['current-snapshot-id']).toBe(11n);
    });

    it('raises the sequence number when there is nothing to fence', async () => {
      const body = { ...(await swapBody(await begin('r1'))), fences: [] };
      await lake('POST', 'relocations/r1/swap', body);
      const { metadata } = await under.catalog.loadTable(T);
      expect(metadata['last-sequence-number']).toBe(2);
      expect(metadata['metadata-log'].at(-1)?.['metadata-file']).toBe(table.metadataLocation);
    });

    it('leases a table to one holder until the lease expires', async () => {
      const first = await lease('one', 1000);
      await expect(lease('two')).rejects.toMatchObject({ kind: 'conflict' });
      await lake('POST', `leases/${first}/renew`, { 'ttl-ms': 2000 });
      now += 1500;
      await expect(lease('two')).rejects.toMatchObject({ kind: 'conflict' });
      now += 1000;
      const second = await lease('two');
      await expect(lake('POST', `leases/${first}/renew`, { 'ttl-ms': 2000 })).rejects.toMatchObject({
        kind: 'conflict',
      });
      await lake('DELETE', `leases/${second}`);
      await lease('three');
    });

    it('lets a target path be used once, ever, and a batch be sent twice', async () => {
      const leaseId = await begin('r1');
      const path = 'file:///lake/n/t/warm/r1/2.parquet';
      const move = { from: OLD, to: path, kind: 'data', size: 10 };
      await lake('POST', 'relocations/r1/moves', { 'lease-id': leaseId, moves: [move] });
      await expect(lake('POST', 'relocations/r1/state', { state: 'rolled-back' })).rejects.toMatchObject({
        kind: 'conflict',
      });
      await lake('POST', 'relocations/r1/state', { state: 'rolled-back', 'lease-id': leaseId });
      await lake('DELETE', `leases/${leaseId}`);
      const next = await begin('r2');
      await expect(
        lake('POST', 'relocations/r2/moves', { 'lease-id': next, moves: [move] }),
      ).rejects.toMatchObject({
        kind: 'conflict',
      });
      const journal = await lake<{ moves: unknown[] }>('GET', 'relocations/r1/moves');
      expect(journal.moves).toHaveLength(2);
      expect(await lake('GET', 'relocations?state=copying')).toMatchObject({
        relocations: [{ 'relocation-id': 'r2' }],
      });
    });
  });
}
