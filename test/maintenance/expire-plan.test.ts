import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LakeError } from '../../src/errors.ts';
import type { SnapshotRef } from '../../src/iceberg/refs.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { planExpire } from '../../src/maintenance/expire-plan.ts';
import { snapshotRules } from '../../src/maintenance/snapshot-rules.ts';
import { FENCE_PROPERTY } from '../../src/tiering/protocol.ts';

const NOW = 1_000_000;
const EMPTY = newTableMetadata({
  schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'a', required: false, type: 'int' }] },
  location: 'memory://t',
  uuid: '00000000-0000-0000-0000-000000000001',
  nowMs: 0,
});

interface Node {
  readonly parent: number | null;
  readonly age: number;
}

function tableOf(nodes: readonly Node[], refs: Readonly<Record<string, SnapshotRef>>): TableMetadata {
  const snapshots = nodes.map(({ parent, age }, at) => ({
    'snapshot-id': BigInt(at + 1),
    ...(parent === null ? {} : { 'parent-snapshot-id': BigInt(parent + 1) }),
    'sequence-number': at + 1,
    'timestamp-ms': NOW - age,
    'manifest-list': `memory://t/${at}`,
    summary: { operation: 'append' as const },
  }));
  return { ...EMPTY, snapshots, refs };
}

/** Parents come before their children, in any shape; ages in any order, as clocks of writers differ. */
const histories = fc
  .array(fc.record({ up: fc.nat(3), age: fc.nat(20), root: fc.nat(9) }), { minLength: 1, maxLength: 14 })
  .map((raw) =>
    raw.map(
      ({ up, age, root }, at): Node => ({
        parent: at === 0 || root === 0 ? null : Math.max(0, at - 1 - up),
        age,
      }),
    ),
  );

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const refsOf = fc.dictionary(
  fc.constantFrom('main', 'b1', 'b2', 't1', 't2'),
  fc.record({
    at: fc.nat(13),
    minToKeep: optional(fc.integer({ min: 1, max: 4 })),
    maxAge: optional(fc.integer({ min: 1, max: 20 })),
    maxRefAge: optional(fc.integer({ min: 1, max: 20 })),
  }),
);

function realRefs(
  nodes: readonly Node[],
  raw: Record<
    string,
    { at: number; minToKeep: number | undefined; maxAge: number | undefined; maxRefAge: number | undefined }
  >,
): Record<string, SnapshotRef> {
  return Object.fromEntries(
    Object.entries(raw).map(([name, { at, minToKeep, maxAge, maxRefAge }]): [string, SnapshotRef] => {
      const type = name.startsWith('t') ? 'tag' : 'branch';
      const branch = {
        ...(minToKeep === undefined ? {} : { 'min-snapshots-to-keep': minToKeep }),
        ...(maxAge === undefined ? {} : { 'max-snapshot-age-ms': maxAge }),
      };
      return [
        name,
        {
          type,
          'snapshot-id': BigInt((at % nodes.length) + 1),
          ...(type === 'branch' ? branch : {}),
          ...(maxRefAge === undefined ? {} : { 'max-ref-age-ms': maxRefAge }),
        },
      ];
    }),
  );
}

/** Says of each snapshot by itself, in words of the spec, whether it stays. */
function naive(
  nodes: readonly Node[],
  refs: Record<string, SnapshotRef>,
  rules: { minToKeep: number; maxAgeMs: number; maxRefAgeMs: number },
) {
  const age = (at: number) => nodes[at]!.age;
  const lineOf = (head: number): number[] => {
    const parent = nodes[head]!.parent;
    return parent === null ? [head] : [head, ...lineOf(parent)];
  };
  const head = (ref: SnapshotRef) => Number(ref['snapshot-id']) - 1;
  const live = Object.entries(refs).filter(
    ([name, ref]) => name === 'main' || age(head(ref)) <= (ref['max-ref-age-ms'] ?? rules.maxRefAgeMs),
  );
  const stays = (at: number): boolean => {
    let led = false;
    for (const [, ref] of live) {
      if (head(ref) === at) return true;
      if (ref.type === 'tag') continue;
      const position = lineOf(head(ref)).indexOf(at);
      if (position < 0) continue;
      led = true;
      if (position < (ref['min-snapshots-to-keep'] ?? rules.minToKeep)) return true;
      if (age(at) <= (ref['max-snapshot-age-ms'] ?? rules.maxAgeMs)) return true;
    }
    return !led && age(at) <= rules.maxAgeMs;
  };
  return {
    refs: Object.keys(refs).filter((name) => !live.some(([kept]) => kept === name)),
    snapshots: nodes.flatMap((_, at) => (stays(at) ? [] : [BigInt(at + 1)])),
  };
}

const rulesOf = fc.record({
  minToKeep: fc.integer({ min: 1, max: 5 }),
  maxAgeMs: fc.integer({ min: 1, max: 20 }),
  maxRefAgeMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Number.POSITIVE_INFINITY)),
});

test('what goes is what a naive reading of the retention policy lets go', () => {
  fc.assert(
    fc.property(histories, refsOf, rulesOf, (nodes, raw, rules) => {
      const refs = realRefs(nodes, raw);
      expect(planExpire(tableOf(nodes, refs), rules, NOW)).toEqual(naive(nodes, refs, rules));
    }),
    { numRuns: 1000 },
  );
});

test('fences of moves do not use up the history that was promised', () => {
  const nodes = [0, 1, 2, 3, 4, 5].map((at): Node => ({ parent: at === 0 ? null : at - 1, age: 100 - at }));
  const table = tableOf(nodes, { main: { type: 'branch', 'snapshot-id': 6n } });
  const isFence = (id: bigint) => id === 3n || id === 5n || id === 6n;
  const snapshots = table.snapshots.map((one) =>
    isFence(one['snapshot-id'])
      ? { ...one, summary: { operation: 'replace' as const, [FENCE_PROPERTY]: `${one['snapshot-id']}` } }
      : one,
  );
  const rules = { minToKeep: 2, maxAgeMs: 1, maxRefAgeMs: Number.POSITIVE_INFINITY };
  // 4 and 2 are the newest two; 5 and 3 stay between, as without them nothing would lead to 2.
  expect(planExpire({ ...table, snapshots }, rules, NOW)).toEqual({ refs: [], snapshots: [1n] });
});

test('no ref that stays leads to a snapshot that goes, and a guarded snapshot never goes', () => {
  fc.assert(
    fc.property(histories, refsOf, rulesOf, fc.nat(13), (nodes, raw, rules, guard) => {
      const refs = realRefs(nodes, raw);
      const guarded = BigInt((guard % nodes.length) + 1);
      const plan = planExpire(tableOf(nodes, refs), rules, NOW, new Set([guarded]));
      const gone = new Set(plan.snapshots);
      expect(gone.has(guarded)).toBe(false);
      for (const [name, ref] of Object.entries(refs)) {
        if (!plan.refs.includes(name)) expect(gone.has(ref['snapshot-id'])).toBe(false);
      }
    }),
  );
});

test('a policy beats a table property, and the property beats the default, each key by itself', () => {
  const table = {
    ...EMPTY,
    properties: {
      'history.expire.min-snapshots-to-keep': '3',
      'history.expire.max-ref-age-ms': '9223372036854775807',
    },
  };
  expect(snapshotRules(table, { maxAgeMs: 5 })).toEqual({ minToKeep: 3, maxAgeMs: 5, maxRefAgeMs: 2 ** 63 });
  expect(snapshotRules(EMPTY)).toEqual({
    minToKeep: 1,
    maxAgeMs: 432_000_000,
    maxRefAgeMs: Number.POSITIVE_INFINITY,
  });
});

test.each(['0', '-1', '1.5', 'five', ''])('a retention property of "%s" is refused', (text) => {
  const table = { ...EMPTY, properties: { 'history.expire.max-snapshot-age-ms': text } };
  expect(() => snapshotRules(table)).toThrow(LakeError);
});
