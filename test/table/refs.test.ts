import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Catalog } from '../../src/catalog-client/catalog.ts';
import { ancestors } from '../../src/iceberg/table-metadata.ts';
import { appendSelect } from '../../src/table/append.ts';
import { cherryPick } from '../../src/table/cherry-pick.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { fastForward } from '../../src/table/fast-forward.ts';
import { rollback } from '../../src/table/rollback.ts';
import { createRef } from '../../src/table/tag.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';
import { AT_WARM, HOUR, tierApply } from '../faults/tiny-lake.ts';
import {
  append,
  createTable,
  everything,
  type MovingLake,
  nameOf,
  openMovingLake,
  tag,
} from '../tiering/moving-lake.ts';

const TABLE = nameOf('moved');
let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
  await createTable(lake, 'moved');
  await append(lake, 'moved', 0, 8);
});
afterEach(() => lake.close());

const metadata = async () => (await lake.catalog.loadTable(TABLE)).metadata;
const head = async (ref = 'main') => (await metadata()).refs[ref]!['snapshot-id'];
const rows = async (ref = 'main') => (await everything(lake, 'moved'))[`ref ${ref}`]!.length;
const appendTo = (branch: string, id: number) =>
  appendSelect(lake, lake.engine, TABLE, {
    sql: `SELECT ${id}::INT AS id, TIMESTAMPTZ '2001-01-01 12:00:00+00' AS ts, 'x' AS note`,
    branch,
  });

it('rolls main back to a tag, a time and an id, and to nothing that is no ancestor', async () => {
  await tag(lake, 'moved', 'first');
  const first = await head();
  await append(lake, 'moved', 8, 4);
  const second = await head();
  await appendTo('side', 77);
  await expect(rollback(lake, TABLE, { to: 'side' })).rejects.toMatchObject({ kind: 'invalid-argument' });
  await expect(rollback(lake, TABLE, { to: '12' })).rejects.toMatchObject({ kind: 'not-found' });
  await expect(rollback(lake, TABLE, { to: '1999-01-01' })).rejects.toMatchObject({ kind: 'not-found' });
  const done = await rollback(lake, TABLE, { to: 'first' });
  expect(done).toMatchObject({ from: second, to: first, fence: null });
  expect(await rows()).toBe(8);
  await fastForward(lake, TABLE, { to: 'side' });
  expect(await rows()).toBe(13);
  await rollback(lake, TABLE, { to: String(second) });
  const later = new Date((await metadata()).snapshots[0]!['timestamp-ms']).toISOString();
  await rollback(lake, TABLE, { to: later });
  expect(await head()).toBe(first);
  expect(await rollback(lake, TABLE, { to: 'first' })).toMatchObject({ staged: null, snapshotId: null });
});

it('rolls back over a move with a new fence, during the grace and after it, and every snapshot reads as before', async () => {
  await tag(lake, 'moved', 'first');
  await append(lake, 'moved', 8, 4);
  const before = await everything(lake, 'moved');
  await tierApply(lake, AT_WARM);
  const fence = await head();
  const done = await rollback(lake, TABLE, { to: 'first' });
  expect(done.fence).toBe(await head());
  const { refs, snapshots, ...rest } = await metadata();
  const made = snapshots.find((one) => one['snapshot-id'] === done.fence)!;
  expect(made.summary).toMatchObject({ operation: 'replace', [FENCE_PROPERTY]: expect.any(String) });
  expect(made['parent-snapshot-id']).toBe(done.to);
  expect(
    [...ancestors({ refs, snapshots, ...rest }, done.fence!)].map((one) => one['snapshot-id']),
  ).not.toContain(fence);
  const after = await everything(lake, 'moved');
  expect(after['current']).toEqual(before['ref first']);
  expect(after['snapshot 1']).toEqual(before['snapshot 1']);
  lake.pass(2 * HOUR);
  await tierApply(lake, AT_WARM);
  expect((await everything(lake, 'moved'))['current']).toEqual(before['ref first']);
  await append(lake, 'moved', 20, 4);
  expect(await rows()).toBe(12);
});

it('does not roll back what another writer commits meanwhile', async () => {
  const first = await head();
  await append(lake, 'moved', 8, 4);
  let raced = false;
  const commitTable: Catalog['commitTable'] = async (commit) => {
    if (!raced) {
      raced = true;
      await append(lake, 'moved', 12, 4);
    }
    return lake.catalog.commitTable(commit);
  };
  const racing = {
    ...lake,
    catalog: new Proxy(lake.catalog, {
      get: (target, key) => (key === 'commitTable' ? commitTable : Reflect.get(target, key).bind(target)),
    }),
  };
  await expect(rollback(racing, TABLE, { to: String(first) })).rejects.toMatchObject({ kind: 'conflict' });
  expect(await rows()).toBe(16);
});

it('publishes a branch to main only while main is an ancestor, and drops it in the same commit', async () => {
  await createRef(lake, TABLE, { name: 'audit', type: 'branch' });
  await appendTo('audit', 50);
  await deleteWhere(lake, lake.engine, TABLE, { where: 'id = 0', branch: 'audit' });
  expect(await rows()).toBe(8);
  expect(await rows('audit')).toBe(8);
  const audited = await head('audit');
  await fastForward(lake, TABLE, { to: 'audit', dropSource: true });
  expect(await head()).toBe(audited);
  expect((await metadata()).refs['audit']).toBeUndefined();
  await appendTo('late', 60);
  await append(lake, 'moved', 8, 4);
  await expect(fastForward(lake, TABLE, { to: 'late' })).rejects.toMatchObject({ kind: 'conflict' });
  await expect(fastForward(lake, TABLE, { to: 'lat' })).rejects.toMatchObject({ kind: 'not-found' });
  await expect(fastForward(lake, TABLE, { to: 'main', dropSource: true })).rejects.toMatchObject({
    kind: 'invalid-argument',
  });
});

it('picks an append once, after a move of its files too, and refuses what depends on another state', async () => {
  await appendTo('side', 50);
  const picked = await head('side');
  await deleteWhere(lake, lake.engine, TABLE, { where: 'id = 50', branch: 'side' });
  const deletion = await head('side');
  await append(lake, 'moved', 8, 4);
  await tierApply(lake, AT_WARM);
  const done = await cherryPick(lake, TABLE, { snapshotId: picked });
  expect(done.snapshotId).not.toBe(picked);
  expect(await rows()).toBe(13);
  lake.pass(2 * HOUR);
  await tierApply(lake, AT_WARM);
  expect(await rows()).toBe(13);
  await expect(cherryPick(lake, TABLE, { snapshotId: picked })).rejects.toMatchObject({
    kind: 'already-exists',
  });
  await expect(cherryPick(lake, TABLE, { snapshotId: deletion })).rejects.toMatchObject({
    kind: 'unsupported',
  });
  await expect(cherryPick(lake, TABLE, { snapshotId: 5n })).rejects.toMatchObject({ kind: 'not-found' });
});

it('fast-forwards to a pick that was built on the head, and finds a picked file once its summary is gone', async () => {
  await appendTo('side', 50);
  const built = await head('side');
  expect(await cherryPick(lake, TABLE, { snapshotId: built })).toMatchObject({ snapshotId: null });
  expect(await head()).toBe(built);
  await appendTo('other', 51);
  const other = await head('other');
  await append(lake, 'moved', 8, 4);
  const first = await cherryPick(lake, TABLE, { snapshotId: other });
  await append(lake, 'moved', 12, 4);
  await lake.catalog.commitTable({
    identifier: TABLE,
    requirements: [],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': [first.snapshotId!] }],
  });
  await expect(cherryPick(lake, TABLE, { snapshotId: other })).rejects.toMatchObject({
    kind: 'already-exists',
  });
});
