import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { newTableMetadata } from '../../src/iceberg/table-metadata.ts';
import { appendSelect } from '../../src/table/append.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import {
  COMMIT_TIMES_PROPERTY,
  commitTimes,
  firstCommitMs,
  rememberedCommitTimes,
} from '../../src/tiering/commit-times.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import { rememberCommitTimes } from '../../src/tiering/remember-commit-times.ts';
import { everything, type MovingLake, nameOf, openMovingLake, remove } from './moving-lake.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

function policies(age: string, table = 'gold.moved') {
  const text = `version: 1
policies:
  - { name: facts, match: { tables: ["${table}"] }, grace: 1h, age: ${age}, transitions: [ { to: warm, after: 30d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

/** An unpartitioned table. */
async function createFlat(name: string): Promise<void> {
  if (!(await lake.catalog.namespaceExists(['gold']))) await lake.catalog.createNamespace(['gold']);
  await lake.catalog.createTable(['gold'], {
    name,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'id', required: false, type: 'int' },
        { id: 2, name: 'ts', required: false, type: 'timestamptz' },
      ],
    },
    properties: { 'format-version': '2' },
  });
}

async function addDay(name: string, day: string | null, first: number): Promise<void> {
  const ts = day === null ? 'NULL::TIMESTAMPTZ' : `TIMESTAMPTZ '${day} 10:00:00+00'`;
  const sql = `SELECT i::INT AS id, ${ts} AS ts FROM range(${first}, ${first + 4}) r(i)`;
  await appendSelect(lake, lake.engine, nameOf(name), { sql });
}

test('by column: files of an unpartitioned table move one by one at their upper bound, never before', async () => {
  for (const name of ['twin', 'moved']) {
    await createFlat(name);
    await addDay(name, '2001-01-01', 0);
    await addDay(name, '2001-01-02', 10);
    await addDay(name, null, 20);
    await remove(lake, name, 'id IN (1, 11, 21)');
  }
  const set = policies('{ column: ts }');
  const due = Date.parse('2001-01-31T10:00:00.001Z');
  expect((await planMoves(lake, set, due - 2)).moves).toEqual([]);
  const plan = await planMoves(lake, set, due);
  expect(plan.moves).toMatchObject([{ partition: '', from: 'hot', to: 'warm', files: 1 }]);
  const reasons = plan.kept.map(({ reason }) => reason);
  expect(reasons.some((reason) => /no upper bound of "ts"/.test(reason))).toBe(true);
  await applyPlan(lake, plan);
  lake.pass(2 * HOUR);
  await applyPlan(lake, { moves: [], kept: [], tables: [] });
  expect(await everything(lake, 'moved')).toEqual(await everything(lake, 'twin'));
  expect((await planMoves(lake, set, due)).moves).toEqual([]);
  expect((await planMoves(lake, set, due + DAY)).moves).toMatchObject([{ files: 1 }]);
});

test('what cannot be aged is an error that says why, for all tables at once', async () => {
  for (const name of ['one', 'two', 'three']) await createFlat(name);
  await addDay('three', null, 0);
  const plan = (age: string) => planMoves(lake, policies(age, 'gold.*'), lake.clock.now());
  // Tables come in the order of their uuids.
  await expect(plan('{ column: tss }')).rejects.toThrow(
    /^3 problems:(?=[\s\S]*gold\.one)(?=[\s\S]*gold\.three)[\s\S]*did you mean "ts"/,
  );
  await expect(plan('{ column: id }')).rejects.toThrow(/"id" is a int, not a date/);
  await expect(plan('{ column: ts }')).rejects.toThrow(/gold\.three.*no upper bound/);
  await expect(plan('{ from: partition }')).rejects.toThrow(/tell no time/);
});

test('by commit: data counts from its first commit, through moves and after its snapshots are gone', async () => {
  await createFlat('moved');
  await addDay('moved', '1999-01-01', 0);
  const first = lake.clock.now();
  lake.pass(10 * DAY);
  await addDay('moved', '1999-01-01', 10);
  const set = policies('{ from: commit }');
  expect((await planMoves(lake, set, first + 29 * DAY)).moves).toEqual([]);
  await rememberCommitTimes(lake, set);
  const { metadata } = await lake.catalog.loadTable(nameOf('moved'));
  expect(metadata.properties[COMMIT_TIMES_PROPERTY]).toBeDefined();
  await rememberCommitTimes(lake, set);
  expect((await lake.catalog.loadTable(nameOf('moved'))).metadata['last-updated-ms']).toBe(
    metadata['last-updated-ms'],
  );

  // Expiry of all but the current snapshot.
  const old = metadata.snapshots.filter(
    (one) => one['snapshot-id'] !== metadata.refs['main']?.['snapshot-id'],
  );
  await lake.catalog.commitTable({
    identifier: nameOf('moved'),
    requirements: [],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': old.map((one) => one['snapshot-id']) }],
  });
  const plan = await planMoves(lake, set, first + 30 * DAY);
  expect(plan.moves).toMatchObject([{ partition: '', files: 1 }]);
  await applyPlan(lake, plan);
  expect((await planMoves(lake, set, first + 39 * DAY)).moves).toEqual([]);
  expect((await planMoves(lake, set, first + 41 * DAY)).moves).toMatchObject([{ files: 1 }]);
});

test('a commit time is never earlier than the commit, whatever was expired and written down', () => {
  const base = newTableMetadata({
    schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', required: false, type: 'int' }] },
    location: 'memory://t',
    uuid: '00000000-0000-4000-8000-000000000000',
    nowMs: 0,
  });
  const commit = fc.record({
    hours: fc.integer({ min: 0, max: 60 }),
    remember: fc.boolean(),
    keep: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(commit, { minLength: 1, maxLength: 40 }), (commits) => {
      const truth: number[] = [];
      let metadata = base;
      let now = 1_000_000_000_000;
      for (const [at, { hours, remember: writes, keep }] of commits.entries()) {
        now += hours * HOUR;
        truth.push(now);
        const snapshot: Snapshot = {
          'snapshot-id': BigInt(at + 1),
          ...(at === 0 ? {} : { 'parent-snapshot-id': BigInt(at) }),
          'sequence-number': at + 1,
          'timestamp-ms': now,
          'manifest-list': 'x',
          summary: { operation: 'append' },
        };
        const refs = { main: { type: 'branch' as const, 'snapshot-id': snapshot['snapshot-id'] } };
        metadata = {
          ...metadata,
          snapshots: [...metadata.snapshots, snapshot],
          refs,
          'last-updated-ms': now,
        };
        const value = writes ? rememberedCommitTimes(commitTimes(metadata), metadata, new Set()) : null;
        if (value !== null) {
          metadata = { ...metadata, properties: { ...metadata.properties, [COMMIT_TIMES_PROPERTY]: value } };
        }
        metadata = { ...metadata, snapshots: metadata.snapshots.slice(-1 - keep) };
        const times = commitTimes(metadata);
        for (const [index, committed] of truth.entries()) {
          const origin = { sequenceNumber: index + 1, fileSequenceNumber: index + 1 };
          const known = firstCommitMs(times, origin, '');
          expect(known).toBeGreaterThanOrEqual(committed);
          expect(known).toBeLessThanOrEqual(now);
        }
      }
    }),
  );
});
