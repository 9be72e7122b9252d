import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/iceberg/json.ts';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import {
  currentSchema,
  currentSnapshot,
  newTableMetadata,
  snapshotAsOf,
  type TableMetadata,
} from '../../src/iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../../src/iceberg/updates.ts';
import { commitOf, emptyTable, SCHEMA, START, snapshot, tableWithHistory, UUID } from './metadata-samples.ts';

const NOW = START + 1_000_000;

function apply(base: TableMetadata | null, ...updates: TableUpdate[]): TableMetadata {
  return applyUpdates(base, updates, { nowMs: NOW });
}

/** SCHEMA with further optional columns, ids from 3. */
function widerSchema(...names: string[]): Schema {
  const added = names.map((name, at) => ({ id: 3 + at, name, required: false, type: 'string' }));
  return { ...SCHEMA, fields: [...SCHEMA.fields, ...added] };
}

function setMain(id: bigint): TableUpdate {
  return { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id };
}

describe('a new table', () => {
  it('has columns numbered anew, and spec, order and keys following them', () => {
    const schema: Schema = {
      type: 'struct',
      'schema-id': 5,
      fields: [
        {
          id: 40,
          name: 'place',
          required: true,
          type: { type: 'struct', fields: [{ id: 60, name: 'city', required: true, type: 'string' }] },
        },
        { id: 50, name: 'ts', required: false, type: 'timestamp' },
      ],
      'identifier-field-ids': [60],
    };
    const metadata = newTableMetadata({
      schema,
      spec: {
        'spec-id': 3,
        fields: [{ 'source-id': 60, 'field-id': 7, name: 'city', transform: 'identity' }],
      },
      sortOrder: {
        'order-id': 9,
        fields: [{ 'source-id': 50, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }],
      },
      location: 's3://b/t/',
      properties: { 'format-version': '3', owner: 'me' },
      uuid: UUID,
      nowMs: START,
    });
    expect(metadata).toMatchObject({
      'format-version': 3,
      'next-row-id': 0,
      location: 's3://b/t',
      'last-column-id': 3,
      'partition-specs': [{ 'spec-id': 0, fields: [{ 'source-id': 3, 'field-id': 1000 }] }],
      'sort-orders': [{ 'order-id': 1, fields: [{ 'source-id': 2 }] }],
      properties: { owner: 'me' },
    });
    expect(metadata.properties).not.toHaveProperty('format-version');
    expect(currentSchema(metadata)['identifier-field-ids']).toEqual([3]);
    expect(parseTableMetadata(serializeTableMetadata(metadata))).toEqual(metadata);
  });

  const creation: TableUpdate[] = [
    { action: 'assign-uuid', uuid: UUID },
    { action: 'upgrade-format-version', 'format-version': 2 },
    { action: 'add-schema', schema: SCHEMA },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-location', location: 's3://b/t' },
  ];

  it('comes from the updates of a staged create, with its first snapshot', () => {
    const metadata = apply(null, ...creation, ...commitOf(snapshot(1n, 1)));
    expect(parseTableMetadata(serializeTableMetadata(metadata))).toEqual(metadata);
    expect(metadata).toMatchObject({ 'table-uuid': UUID, 'current-snapshot-id': 1n, 'default-spec-id': 0 });
  });

  it('is refused while a part is missing', () => {
    for (const left of ['assign-uuid', 'set-current-schema', 'set-default-spec', 'set-location']) {
      const updates = creation.filter(({ action }) => action !== left);
      expect(() => apply(null, ...updates)).toThrow(left);
    }
  });
});

describe('schemas, specs and sort orders', () => {
  const base = emptyTable();

  it('equal to an earlier one are found again, under its id', () => {
    const wider = apply(
      base,
      { action: 'add-schema', schema: widerSchema('a') },
      { action: 'set-current-schema', 'schema-id': -1 },
    );
    expect(wider).toMatchObject({ 'current-schema-id': 1, 'last-column-id': 3 });
    const back = apply(
      wider,
      { action: 'add-schema', schema: { ...SCHEMA, 'schema-id': 9 } },
      { action: 'set-current-schema', 'schema-id': -1 },
    );
    expect(back).toMatchObject({ 'current-schema-id': 0, 'last-column-id': 3 });
    expect(back.schemas).toHaveLength(2);
  });

  it('a spec without field ids takes those of equal fields and never a used one', () => {
    const fields = [
      { 'source-id': 1, name: 'id_bucket', transform: 'bucket[4]' },
      { 'source-id': 2, name: 'day', transform: 'day' },
    ];
    const add = parseJson(JSON.stringify({ action: 'add-spec', spec: { fields } })) as TableUpdate;
    const metadata = apply(base, add, { action: 'set-default-spec', 'spec-id': -1 });
    expect(metadata).toMatchObject({ 'default-spec-id': 1, 'last-partition-id': 1001 });
    expect(metadata['partition-specs'][1]?.fields.map((field) => field['field-id'])).toEqual([1001, 1000]);
  });

  it('of version 3 wait for the upgrade', () => {
    const column = { id: 3, name: 'at', required: false, type: 'timestamp_ns' };
    const add: TableUpdate = {
      action: 'add-schema',
      schema: { ...SCHEMA, fields: [...SCHEMA.fields, column] },
    };
    expect(() => apply(base, add)).toThrow('column at has the type timestamp_ns');
    const upgraded = apply(base, { action: 'upgrade-format-version', 'format-version': 3 }, add);
    expect(upgraded.schemas).toHaveLength(2);
  });

  it('sort orders count from 1; 0 is the unsorted one', () => {
    const order = {
      'order-id': 7,
      fields: [{ 'source-id': 1, transform: 'identity', direction: 'desc', 'null-order': 'nulls-last' }],
    } as const;
    const sorted = apply(
      base,
      { action: 'add-sort-order', 'sort-order': order },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    );
    expect(sorted['default-sort-order-id']).toBe(1);
    const unsorted = apply(
      sorted,
      { action: 'add-sort-order', 'sort-order': { 'order-id': 5, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    );
    expect(unsorted['default-sort-order-id']).toBe(0);
  });

  it('are removed unless something needs them', () => {
    const history = tableWithHistory(1);
    const moved = apply(
      history,
      { action: 'add-schema', schema: widerSchema('a') },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { 'spec-id': 1, fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
    );
    const removeOld: TableUpdate = { action: 'remove-schemas', 'schema-ids': [0] };
    expect(() => apply(moved, removeOld)).toThrow('snapshot 1 was written with it');
    expect(() => apply(moved, { action: 'remove-schemas', 'schema-ids': [1] })).toThrow('current schema');
    expect(() => apply(moved, { action: 'remove-partition-specs', 'spec-ids': [1] })).toThrow('default');
    const cleaned = apply(
      moved,
      removeOld,
      { action: 'remove-snapshots', 'snapshot-ids': [1n] },
      { action: 'remove-partition-specs', 'spec-ids': [0] },
    );
    expect(cleaned.schemas.map((schema) => schema['schema-id'])).toEqual([1]);
    expect(cleaned['partition-specs'].map((spec) => spec['spec-id'])).toEqual([1]);
  });
});

describe('snapshots', () => {
  it('of a stale writer are a conflict, not a second snapshot of the same number', () => {
    const base = tableWithHistory(3);
    expect(() => apply(base, ...commitOf(snapshot(9n, 3, 2n)))).toThrow(
      expect.objectContaining({ kind: 'conflict' }),
    );
    expect(apply(base, ...commitOf(snapshot(9n, 4, 3n)))['last-sequence-number']).toBe(4);
  });

  it('without a parent never lower the last sequence number', () => {
    const metadata = apply(tableWithHistory(3), ...commitOf(snapshot(9n, 1), 'import'));
    expect(metadata).toMatchObject({ 'last-sequence-number': 3, 'current-snapshot-id': 3n });
  });

  it('that pass through main within one commit leave no trace in the log', () => {
    const metadata = apply(
      tableWithHistory(1),
      ...commitOf(snapshot(2n, 2, 1n)),
      ...commitOf(snapshot(3n, 3, 2n)),
    );
    expect(metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([1n, 3n]);
  });

  it('removed cut the log before them, and take their refs and statistics along', () => {
    const file = { 'snapshot-id': 2n, 'statistics-path': 'p', 'file-size-in-bytes': 1 };
    const base = apply(
      tableWithHistory(4),
      { action: 'set-snapshot-ref', 'ref-name': 'closed', type: 'tag', 'snapshot-id': 2n },
      {
        action: 'set-statistics',
        statistics: { ...file, 'file-footer-size-in-bytes': 1, 'blob-metadata': [] },
      },
      { action: 'set-partition-statistics', 'partition-statistics': file },
    );
    const metadata = apply(base, { action: 'remove-snapshots', 'snapshot-ids': [2n, 77n] });
    expect(metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([3n, 4n]);
    expect(Object.keys(metadata.refs)).toEqual(['main']);
    expect([metadata.statistics, metadata['partition-statistics']]).toEqual([[], []]);
    expect(snapshotAsOf(metadata, START + 1500)).toBeUndefined();
  });

  it('rolled back to are current from the time of the rollback on', () => {
    const metadata = apply(tableWithHistory(3), setMain(1n));
    expect(currentSnapshot(metadata)?.['snapshot-id']).toBe(1n);
    expect(snapshotAsOf(metadata, NOW - 1)?.['snapshot-id']).toBe(3n);
    expect(snapshotAsOf(metadata, NOW)?.['snapshot-id']).toBe(1n);
  });

  it('of v3 give out row ids above those given out before', () => {
    const rows = (first: number) => ({ 'first-row-id': first, 'added-rows': 10 });
    const base = apply(emptyTable(3), ...commitOf({ ...snapshot(1n, 1), ...rows(0) }));
    expect(base['next-row-id']).toBe(10);
    expect(() => apply(base, ...commitOf({ ...snapshot(2n, 2, 1n), ...rows(5) }))).toThrow(
      expect.objectContaining({ kind: 'conflict' }),
    );
    expect(() => apply(base, ...commitOf(snapshot(2n, 2, 1n)))).toThrow('first-row-id');
  });

  it('come without the nulls that some clients send', () => {
    const text =
      '{"snapshot-id":1,"parent-snapshot-id":null,"sequence-number":1,"timestamp-ms":1,"manifest-list":"m","summary":{"operation":"append"},"schema-id":0,"key-id":null}';
    const added = parseJson(`{"action":"add-snapshot","snapshot":${text}}`) as TableUpdate;
    const metadata = apply(emptyTable(), added);
    expect(Object.values(metadata.snapshots[0] ?? {})).not.toContain(null);
    expect(parseTableMetadata(serializeTableMetadata(metadata))).toEqual(metadata);
  });
});

describe('refs', () => {
  const base = tableWithHistory(2);
  const ref = (name: string, rest: object) =>
    ({
      action: 'set-snapshot-ref',
      'ref-name': name,
      type: 'branch',
      'snapshot-id': 1n,
      ...rest,
    }) as TableUpdate;

  it('are refused where they make no sense', () => {
    expect(() => apply(base, ref('main', { type: 'tag' }))).toThrow('must be a branch');
    expect(() => apply(base, ref('t', { type: 'tag', 'min-snapshots-to-keep': 1 }))).toThrow('is a tag');
    expect(() => apply(base, ref('b', { 'max-ref-age-ms': 0 }))).toThrow('positive');
    expect(() => apply(base, ref('b', { 'snapshot-id': 9n }))).toThrow('no snapshot 9');
  });

  it('may be called anything', () => {
    const metadata = apply(base, ref('__proto__', {}), ref('constructor', {}));
    const again = parseTableMetadata(serializeTableMetadata(metadata));
    expect(Object.keys(again.refs).sort()).toEqual(['__proto__', 'constructor', 'main']);
    const removed = apply(again, { action: 'remove-snapshot-ref', 'ref-name': '__proto__' });
    expect(Object.keys(removed.refs).sort()).toEqual(['constructor', 'main']);
  });

  it('removing main leaves a table without a current snapshot that can be read', () => {
    const metadata = apply(base, { action: 'remove-snapshot-ref', 'ref-name': 'main' });
    expect(currentSnapshot(metadata)).toBeUndefined();
    expect(parseTableMetadata(serializeTableMetadata(metadata))).toEqual(metadata);
  });
});

describe('the rest of the updates', () => {
  const base = emptyTable();

  it('change what they say', () => {
    const metadata = apply(
      base,
      { action: 'set-location', location: 's3://b/u/' },
      { action: 'set-properties', updates: { a: '1', b: '2' } },
      { action: 'remove-properties', removals: ['a', 'x'] },
      { action: 'upgrade-format-version', 'format-version': 3 },
      { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'k', 'encrypted-key-metadata': 'aa' } },
      { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'l', 'encrypted-key-metadata': 'bb' } },
      { action: 'remove-encryption-key', 'key-id': 'k' },
    );
    expect(metadata).toMatchObject({
      location: 's3://b/u',
      properties: { b: '2' },
      'format-version': 3,
      'next-row-id': 0,
      'encryption-keys': [{ 'key-id': 'l' }],
    });
  });

  it('are refused where they would break the table', () => {
    const refused: [TableUpdate, string][] = [
      [{ action: 'assign-uuid', uuid: UUID.replace('9', '8') }, 'already'],
      [{ action: 'upgrade-format-version', 'format-version': 1 }, 'go back'],
      [{ action: 'upgrade-format-version', 'format-version': 4 }, 'not supported'],
      [{ action: 'set-current-schema', 'schema-id': -1 }, 'adds no schema'],
      [{ action: 'set-default-spec', 'spec-id': 4 }, 'no partition spec 4'],
      [{ action: 'set-default-sort-order', 'sort-order-id': 4 }, 'no sort order 4'],
      [parseJson('{"action": "toString"}') as TableUpdate, 'unknown update action toString'],
    ];
    for (const [update, reason] of refused) {
      expect(() => apply(base, update)).toThrow(
        expect.objectContaining({ kind: 'invalid-argument', message: expect.stringContaining(reason) }),
      );
    }
  });

  it('that change nothing give back the base itself', () => {
    const history = tableWithHistory(2);
    const same = apply(
      history,
      { action: 'assign-uuid', uuid: UUID.toUpperCase() },
      { action: 'set-properties', updates: {} },
      { action: 'add-schema', schema: SCHEMA },
      { action: 'set-current-schema', 'schema-id': -1 },
      setMain(2n),
      { action: 'remove-statistics', 'snapshot-id': 5n },
      { action: 'remove-snapshots', 'snapshot-ids': [99n] },
    );
    expect(same).toBe(history);
  });
});

describe('the metadata log', () => {
  it('names the files before this one, as many as the property allows', () => {
    const property: TableUpdate = {
      action: 'set-properties',
      updates: { 'write.metadata.previous-versions-max': '3' },
    };
    const metadata = tableWithHistory(6, apply(emptyTable(), property));
    expect(metadata['metadata-log'].map((entry) => entry['metadata-file'].split('/').at(-1))).toEqual([
      '3.metadata.json',
      '4.metadata.json',
      '5.metadata.json',
    ]);
  });
});

/** A step of a random history: what it does, and a number that decides on which snapshot or ref. */
const step = fc.record({
  kind: fc.constantFrom('append', 'branch', 'tag', 'rollback', 'expire', 'drop-ref', 'property'),
  pick: fc.nat(),
  clockSkewMs: fc.integer({ min: -50_000, max: 50_000 }),
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function updatesOf({ kind, pick, clockSkewMs }: Step, metadata: TableMetadata, nowMs: number): TableUpdate[] {
  const next = metadata['last-sequence-number'] + 1;
  const chosen = metadata.snapshots[pick % Math.max(1, metadata.snapshots.length)];
  const refName = `r${pick % 3}`;
  if (kind === 'append' || (kind === 'branch' && !chosen)) {
    const added = snapshot(BigInt(next), next, metadata['current-snapshot-id']);
    return commitOf({ ...added, 'timestamp-ms': nowMs + clockSkewMs });
  }
  if (kind === 'branch' && chosen) {
    const added = snapshot(BigInt(next), next, chosen['snapshot-id']);
    return commitOf({ ...added, 'timestamp-ms': nowMs + clockSkewMs }, 'side');
  }
  if (kind === 'property') return [{ action: 'set-properties', updates: { at: String(pick) } }];
  if (kind === 'drop-ref') return [{ action: 'remove-snapshot-ref', 'ref-name': refName }];
  if (!chosen) return [];
  const id = chosen['snapshot-id'];
  if (kind === 'rollback') return [setMain(id)];
  if (kind === 'expire') return [{ action: 'remove-snapshots', 'snapshot-ids': [id] }];
  return [{ action: 'set-snapshot-ref', 'ref-name': refName, type: 'tag', 'snapshot-id': id }];
}

describe('any history of commits', () => {
  it('keeps the promises that Java checks when it reads a table, and leaves each base alone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let metadata = emptyTable();
        steps.forEach((each, at) => {
          const nowMs = START + at * 1000;
          const before = serializeTableMetadata(metadata);
          const next = applyUpdates(metadata, updatesOf(each, metadata, nowMs), {
            nowMs,
            previousMetadataLocation: `m${at}`,
          });
          expect(serializeTableMetadata(metadata)).toBe(before);
          checkPromises(metadata, next);
          metadata = next;
        });
      }),
      { numRuns: 200 },
    );
  });
});

function checkPromises(before: TableMetadata, after: TableMetadata): void {
  expect(parseTableMetadata(serializeTableMetadata(after))).toEqual(after);
  expect(after['last-sequence-number']).toBeGreaterThanOrEqual(before['last-sequence-number']);
  expect(after['last-updated-ms']).toBeGreaterThanOrEqual(before['last-updated-ms']);
  for (const log of [after['snapshot-log'], after['metadata-log']]) {
    const times = log.map((entry) => entry['timestamp-ms']);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1) ?? 0).toBeLessThanOrEqual(after['last-updated-ms']);
  }
  const known = new Set(after.snapshots.map((each) => each['snapshot-id']));
  expect(after['snapshot-log'].every((entry) => known.has(entry['snapshot-id']))).toBe(true);
  const current = after['current-snapshot-id'];
  if (current !== undefined) expect(after['snapshot-log'].at(-1)?.['snapshot-id']).toBe(current);
}
