import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { ManifestFile } from '../../src/iceberg/manifest-list.ts';
import { type CatalogUnderTest, fileAt } from '../catalog/lake.ts';
import {
  addSnapshot,
  commit,
  GRACE_MS,
  ID,
  type MovedTable,
  movedTable,
  OLD,
  putFence,
  putManifest,
  putSnapshot,
  setBranch,
  T,
} from '../catalog/moved-table.ts';

/** What a catalog lets branches be set to after a move, whatever keeps its journal. */
export function fenceGuardContract(name: string, open: (clock: Clock) => Promise<CatalogUnderTest>): void {
  describe(`fenceGuard: ${name}`, () => {
    let now: number;
    let under: CatalogUnderTest;
    let table: MovedTable;
    beforeEach(async () => {
      now = systemClock.now();
      const clock: Clock = { ...systemClock, now: () => now };
      under = await open(clock);
      table = await movedTable(under);
    });
    afterEach(() => under.dispose());

    const refused = { kind: 'invalid-argument', message: expect.stringContaining('moved between tiers') };
    const expire = (...ids: bigint[]) =>
      commit(under.catalog, [{ action: 'remove-snapshots', 'snapshot-ids': ids }]);

    const setProperty = (key: string) => ({ action: 'set-properties', updates: { [key]: 'x' } }) as const;

    /** Appends a file to a branch and sets it there. */
    async function append(branch: string, id: bigint, parent: bigint, carried: readonly ManifestFile[] = []) {
      const current = await under.catalog.loadTable(T);
      const sequenceNumber = current.metadata['last-sequence-number'] + 1;
      const files = [fileAt(`file:///lake/n/t/hot/${id}.parquet`)];
      const added = await putManifest(under.objects, current, {
        name: `m-${id}`,
        snapshotId: id,
        sequenceNumber,
        files,
      });
      const manifests = [...carried, added];
      const snapshot = await putSnapshot(under.objects, current, { id, parent, sequenceNumber, manifests });
      return [addSnapshot(snapshot), setBranch(branch, id)];
    }

    it('goes on guarding a branch whose fence has expired, until the grace ends', async () => {
      await commit(under.catalog, await append('main', 20n, ID.fence));
      await expire(ID.fence);
      for (const id of [ID.h, ID.p]) {
        await expect(commit(under.catalog, [setBranch('main', id)])).rejects.toMatchObject(refused);
      }
      await commit(under.catalog, await append('main', 21n, 20n));
      await expire(20n);
      await expect(commit(under.catalog, [setBranch('main', ID.h)])).rejects.toMatchObject(refused);
      await commit(under.catalog, await append('main', 22n, 21n));
      // Back to what came after the move is no danger.
      await commit(under.catalog, [setBranch('main', 21n)]);
      now += GRACE_MS;
      await commit(under.catalog, [setBranch('main', ID.h)]);
    });

    it('lets no branch pass the fence by way of a new branch, a removed one, or a snapshot on an old one', async () => {
      await expect(commit(under.catalog, [setBranch('side', ID.p)])).rejects.toMatchObject({
        ...refused,
        hint: expect.stringContaining('A tag may name any snapshot'),
      });
      const onOld = await append('side', 30n, ID.p, [table.moved.p]);
      await expect(commit(under.catalog, onOld)).rejects.toMatchObject(refused);
      // Without a branch it may be added, and still main may not be set to it.
      await commit(under.catalog, onOld.slice(0, 1));
      await expect(commit(under.catalog, [setBranch('main', 30n)])).rejects.toMatchObject(refused);
      await expire(ID.p);
      await expect(commit(under.catalog, [setBranch('main', 30n)])).rejects.toMatchObject(refused);

      const removeMain = { action: 'remove-snapshot-ref', 'ref-name': 'main' } as const;
      await expect(commit(under.catalog, [removeMain, setBranch('main', ID.h)])).rejects.toMatchObject(
        refused,
      );
      await commit(under.catalog, [removeMain]);
      await expect(commit(under.catalog, [setBranch('main', ID.h)])).rejects.toMatchObject(refused);
      await commit(under.catalog, [setBranch('main', ID.fence)]);
    });

    it('lets tags name any snapshot, branches grow from the fence, and main be fast-forwarded to them', async () => {
      const tag = { action: 'set-snapshot-ref', 'ref-name': 'v1', type: 'tag', 'snapshot-id': ID.p } as const;
      await commit(under.catalog, [tag]);
      await expect(commit(under.catalog, [{ ...tag, type: 'branch' }])).rejects.toMatchObject(refused);
      await commit(under.catalog, [setBranch('run', ID.fence)]);
      await commit(under.catalog, await append('run', 40n, ID.fence, [table.moved.p, table.moved.h]));
      await commit(under.catalog, [setBranch('main', 40n)]);
      const root = await append('main', 41n, 40n);
      const replaced = root.map((update) => {
        if (update.action !== 'add-snapshot') return update;
        const { 'parent-snapshot-id': _parent, ...snapshot } = update.snapshot;
        return { ...update, snapshot };
      });
      // A table replaced as a whole holds none of the old files.
      await commit(under.catalog, replaced);
    });

    it('lets a rollback bring its own fence, which is then guarded like the first', async () => {
      const fenceOn = (id: bigint, tombstones: readonly string[]) =>
        putFence(under.objects, table.after, ID.p, id, [table.moved.p], tombstones);
      const without = await fenceOn(50n, [OLD.h]);
      const half = [addSnapshot(without.snapshot), setBranch('main', 50n)];
      await expect(commit(under.catalog, half)).rejects.toMatchObject(refused);

      const { snapshot } = await fenceOn(51n, [OLD.p, OLD.h]);
      // Only a fence may list old paths as deleted.
      const appended = { ...snapshot, summary: { ...snapshot.summary, operation: 'append' as const } };
      await expect(
        commit(under.catalog, [addSnapshot(appended), setBranch('main', 51n)]),
      ).rejects.toMatchObject({ kind: 'conflict' });
      const back = await commit(under.catalog, [addSnapshot(snapshot), setBranch('main', 51n)]);
      expect(back.metadata['current-snapshot-id']).toBe(51n);

      await expect(commit(under.catalog, [setBranch('main', ID.p)])).rejects.toMatchObject(refused);
      await commit(under.catalog, await append('main', 52n, 51n, [table.moved.p]));
      await expire(51n);
      await expect(commit(under.catalog, [setBranch('main', ID.p)])).rejects.toMatchObject(refused);
    });

    it('guards a fence as soon as commits that are published together with it stand on it', async () => {
      const { snapshot } = await putFence(
        under.objects,
        table.after,
        ID.p,
        53n,
        [table.moved.p],
        [OLD.p, OLD.h],
      );
      const first = (at: number) => commit(under.catalog, [setProperty(`p${at}`)]);
      const outcomes = await Promise.allSettled([
        first(1),
        first(2),
        commit(under.catalog, [addSnapshot(snapshot), setBranch('main', 53n)]),
        commit(under.catalog, [setBranch('main', ID.p)]),
        first(3),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(outcomes[3]).toMatchObject({ reason: refused });
      const { metadata } = await under.catalog.loadTable(T);
      expect(metadata['current-snapshot-id']).toBe(53n);
    });

    it('guards every table of a transaction', async () => {
      const change = { identifier: T, requirements: [], updates: [setBranch('main', ID.h)] };
      await expect(under.catalog.commitTransaction([change])).rejects.toMatchObject(refused);
    });
  });
}
