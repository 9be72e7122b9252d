import { afterEach, beforeEach, expect, it } from 'vitest';
import { LakeError } from '../../src/errors.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { applyUpdates } from '../../src/iceberg/updates.ts';
import { appendSelect } from '../../src/table/append.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { commitRetries, waitAfter } from '../../src/table/commit-retries.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { resolveSnapshot } from '../../src/table/resolve-snapshot.ts';
import { createRef, removeRef } from '../../src/table/tag.ts';
import { openTestLake, TABLE, type TestLake } from './test-lake.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
};

let lake: TestLake;
beforeEach(async () => {
  lake = await openTestLake(SCHEMA);
});
afterEach(() => lake.close());

const append = (id: number) => appendSelect(lake.context, lake.engine, TABLE, { sql: `SELECT ${id} AS id` });
const ids = async () => (await lake.rows()).map((row) => Object.values(row)[0]);

it('derives anew after a conflict, and both writers keep their rows', async () => {
  lake.catalog.faults.push({ before: async () => void (await append(2)) }, {});
  const result = await append(1);
  expect(result.attempts).toBe(2);
  expect(await ids()).toEqual([1, 2]);
});

it.each([
  { properties: { 'commit.retry.num-retries': '0' }, attempts: 1, waits: [25] },
  { properties: { 'commit.retry.num-retries': '2' }, attempts: 3, waits: [25, 25, 25] },
  {
    properties: {
      'commit.retry.num-retries': '5',
      'commit.retry.min-wait-ms': '100',
      'commit.retry.max-wait-ms': '300',
    },
    attempts: 6,
    waits: [100, 100, 100, 100, 100, 100],
  },
  // 0, 1.5 s, 3 s: the next one would begin too late.
  {
    properties: { 'commit.retry.min-wait-ms': '1500', 'commit.retry.total-timeout-ms': '4000' },
    attempts: 3,
    waits: [1500, 1500, 1500],
  },
  {
    properties: { 'commit.retry.num-retries': '1', 'commit.retry.min-wait-ms': 'soon' },
    attempts: 2,
    waits: [25, 25],
  },
])('tries a commit again as $properties say, and then gives up', async ({ properties, attempts, waits }) => {
  lake.catalog.metadata = { ...lake.catalog.metadata, properties };
  let tried = 0;
  const overtaken = async () => {
    tried++;
    throw new LakeError('conflict', 'another writer came first');
  };
  for (let i = 0; i < 20; i++) lake.catalog.faults.push({ before: overtaken });
  const slept: number[] = [];
  let nowMs = 1_000_000_000_000;
  const clock = {
    ...lake.context.clock,
    now: () => nowMs,
    random: () => 0,
    sleep: async (ms: number) => {
      slept.push(ms);
      nowMs += ms;
    },
  };
  const update = { action: 'set-properties' as const, updates: { a: 'b' } };
  await expect(
    commitWithRetry({ ...lake.context, clock }, TABLE, async () => ({ requirements: [], updates: [update] })),
  ).rejects.toMatchObject({ kind: 'conflict' });
  expect([tried, slept]).toEqual([attempts, waits]);
});

it('waits longer from attempt to attempt, never beyond the longest wait', () => {
  const rules = commitRetries({ 'commit.retry.min-wait-ms': '10', 'commit.retry.max-wait-ms': '100' });
  expect([1, 2, 3, 4, 9].map((attempt) => waitAfter(attempt, rules, 1))).toEqual([20, 40, 80, 100, 100]);
  expect(waitAfter(1, commitRetries({ 'commit.retry.min-wait-ms': '9000' }), 1)).toBe(9000);
});

it('never sets a timer that is longer than timers are, nor one that outlasts the time for all attempts', () => {
  const nines = '9'.repeat(400);
  const names = ['num-retries', 'min-wait-ms', 'max-wait-ms', 'total-timeout-ms'];
  const huge = Object.fromEntries(names.map((name) => [`commit.retry.${name}`, nines]));
  expect(waitAfter(3, commitRetries(huge), 0.5)).toBe(2 ** 31 - 1);
  const short = { 'commit.retry.min-wait-ms': nines, 'commit.retry.total-timeout-ms': '70' };
  expect(waitAfter(3, commitRetries(short), 0.5)).toBe(70);
});

it('finds out that a commit whose answer was lost was applied, and does not repeat it', async () => {
  lake.catalog.faults.push({ outcome: 'lost' });
  const result = await append(1);
  expect(result.snapshotId).toBe(lake.catalog.metadata['current-snapshot-id']);
  expect(lake.catalog.commits).toBe(1);
  expect(await ids()).toEqual([1]);
});

it('lands once after a lost answer and another writer at the same time', async () => {
  lake.catalog.faults.push(
    { outcome: 'dropped' },
    { before: async () => void (await append(2)) },
    {},
    { outcome: 'lost' },
  );
  await append(1);
  expect(await ids()).toEqual([1, 2]);
});

/** Expires all snapshots but the head, as a maintenance job may between a commit and its writer's next look. */
function expire(): void {
  const { metadata } = lake.catalog;
  const old = metadata.snapshots.map((one) => one['snapshot-id']);
  lake.catalog.metadata = applyUpdates(
    metadata,
    [
      {
        action: 'remove-snapshots',
        'snapshot-ids': old.filter((id) => id !== metadata['current-snapshot-id']),
      },
    ],
    { nowMs: metadata['last-updated-ms'] },
  );
}

it('finds a commit whose answer was lost by its files once its snapshot has expired', async () => {
  await append(0);
  lake.catalog.faults.push({
    outcome: 'lost',
    after: async () => {
      await append(2);
      expire();
    },
  });
  await append(1);
  expect(await ids()).toEqual([0, 1, 2]);
});

it('does not repeat a commit of which neither snapshot nor files are left', async () => {
  await append(0);
  lake.catalog.faults.push({
    outcome: 'lost',
    after: async () => {
      await deleteWhere(lake.context, lake.engine, TABLE, { where: 'id = 1' });
      expire();
    },
  });
  await expect(append(1)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  expect(await ids()).toEqual([0]);
});

it('repeats a first append once another first snapshot proves that it was never there', async () => {
  lake.catalog.faults.push({ outcome: 'dropped', before: async () => void (await append(2)) }, {});
  await append(1);
  expect(await ids()).toEqual([1, 2]);
});

it('says that the outcome is unknown when it stays so, and keeps every file', async () => {
  for (let i = 0; i < 20; i++) lake.catalog.faults.push({ outcome: 'dropped' });
  await expect(append(1)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  const left: string[] = [];
  for await (const page of lake.context.objects.list(`${lake.catalog.metadata.location}/`))
    left.push(...page.map((head) => head.location));
  expect(left.filter((location) => location.endsWith('.parquet'))).toHaveLength(1);
});

it('does not call a change undone while an earlier attempt may still be applied', async () => {
  lake.catalog.faults.push(
    { outcome: 'dropped' },
    { before: async () => Promise.reject(new LakeError('unavailable', 'connection refused')) },
  );
  await expect(append(1)).rejects.toMatchObject({ kind: 'unknown-outcome' });
});

it('commits nothing to a table that was made anew under the same name', async () => {
  lake.catalog.faults.push({
    before: async () => {
      const { metadata } = lake.catalog;
      lake.catalog.metadata = { ...metadata, 'table-uuid': '00000000-0000-4000-8000-000000000000' };
    },
  });
  await expect(append(1)).rejects.toMatchObject({ kind: 'conflict', message: /made anew/ });
  expect(lake.catalog.metadata.snapshots).toEqual([]);
});

it('does not begin a branch anew that was removed meanwhile', async () => {
  await append(1);
  await createRef(lake.context, TABLE, { name: 'audit', type: 'branch' });
  lake.catalog.faults.push({ before: async () => void (await removeRef(lake.context, TABLE, 'audit')) }, {});
  const request = { sql: 'SELECT 2 AS id', branch: 'audit' };
  await expect(appendSelect(lake.context, lake.engine, TABLE, request)).rejects.toMatchObject({
    kind: 'conflict',
  });
  expect(lake.catalog.metadata.refs).not.toHaveProperty('audit');
});

it('deletes rows that came between planning and commit too', async () => {
  await append(1);
  lake.catalog.faults.push({ before: async () => void (await append(1)) }, {});
  const result = await deleteWhere(lake.context, lake.engine, TABLE, { where: 'id = 1' });
  expect(result.deletedRecords).toBe(2);
  expect(await ids()).toEqual([]);
});

it('does not overwrite rows that nobody looked at', async () => {
  const { snapshotId } = await append(1);
  await append(2);
  const request = { sql: 'SELECT 3 AS id', replace: 'table' as const, basedOn: snapshotId };
  await expect(overwriteSelect(lake.context, lake.engine, TABLE, request)).rejects.toMatchObject({
    kind: 'stale-plan',
  });
  expect(await ids()).toEqual([1, 2]);
});

it('tags, finds snapshots by id, time and name, and knows near names', async () => {
  const first = (await append(1)).snapshotId!;
  await createRef(lake.context, TABLE, { name: 'closed' });
  await append(2);
  await createRef(lake.context, TABLE, { name: 'closed', snapshotId: first });
  await expect(createRef(lake.context, TABLE, { name: 'closed' })).rejects.toMatchObject({
    kind: 'already-exists',
  });
  const { metadata } = lake.catalog;
  expect(resolveSnapshot(metadata, 'closed').snapshot['snapshot-id']).toBe(first);
  expect(resolveSnapshot(metadata, String(first)).scan).toEqual({ snapshotId: first });
  expect(await lake.rows({ ref: 'closed' })).toEqual([{ id: 1 }]);
  expect(resolveSnapshot(metadata, '2999-01-01').snapshot['snapshot-id']).toBe(
    metadata['current-snapshot-id'],
  );
  expect(() => resolveSnapshot(metadata, 'clsed')).toThrow(
    expect.objectContaining({ kind: 'not-found', hint: 'Did you mean "closed"?' }),
  );
  expect(() => resolveSnapshot(metadata, '1999-01-01')).toThrow(
    expect.objectContaining({ kind: 'not-found' }),
  );
  await removeRef(lake.context, TABLE, 'closed');
  expect(lake.catalog.metadata.refs['closed']).toBeUndefined();
  await expect(removeRef(lake.context, TABLE, 'main')).rejects.toMatchObject({ kind: 'invalid-argument' });
});
