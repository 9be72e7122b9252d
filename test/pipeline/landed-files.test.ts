import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot, SnapshotOperation } from '../../src/iceberg/snapshot.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { landedFiles, landingProperty, SOURCE_FILE_PROPERTY } from '../../src/pipeline/landed-files.ts';
import { headOf } from '../../src/pipeline/lineage.ts';
import { modelState, STATE_PROPERTY, stateOf } from '../../src/pipeline/model-state.ts';

const empty = newTableMetadata({
  schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'x', required: false, type: 'long' }] },
  location: 'memory://t',
  uuid: '5b0b7a6e-6a0c-4c0d-9d0e-000000000001',
  nowMs: 1,
});
const bytes = { size: 1, modifiedMs: 1, sha256: 'a'.repeat(64) };
const FILES = ['a.csv', 'b.csv', 'c.csv'];

/** A bronze table whose every snapshot knows which landings are in it: what the real one keeps in its rows. */
class BronzeModel {
  metadata: TableMetadata = empty;
  /** Files whose rows each snapshot holds, by id. */
  readonly holds = new Map<bigint, ReadonlySet<string>>();
  #sequence = 0;

  get held(): ReadonlySet<string> {
    const head = headOf(this.metadata);
    return (head && this.holds.get(head.snapshotId)) ?? new Set();
  }

  add(operation: SnapshotOperation, held: ReadonlySet<string>, summary = {}, properties = {}): void {
    const sequence = ++this.#sequence;
    const id = BigInt(1000 + sequence);
    const parent = headOf(this.metadata)?.snapshotId;
    const snapshot: Snapshot = {
      'snapshot-id': id,
      ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': sequence,
      'timestamp-ms': sequence,
      'manifest-list': 'memory://l',
      summary: { ...summary, operation },
    };
    this.holds.set(id, held);
    this.metadata = {
      ...this.metadata,
      snapshots: [...this.metadata.snapshots, snapshot],
      properties: { ...this.metadata.properties, ...properties },
    };
    this.setMain(id);
  }

  setMain(id: bigint): void {
    this.metadata = {
      ...this.metadata,
      'current-snapshot-id': id,
      refs: { main: { type: 'branch', 'snapshot-id': id } },
    };
  }

  /** What a run does with the files: lands those that wait, lets the head vouch where nothing is unknown. */
  run(files: readonly string[]): void {
    for (const name of files) {
      const known = landedFiles(this.metadata);
      if (known.of(name).status !== 'waiting') continue;
      const snapshot = { snapshotId: BigInt(1001 + this.#sequence), sequence: this.#sequence + 1 };
      const properties = { ...known.vouched(snapshot), ...landingProperty(name, bytes, snapshot) };
      expect(this.held.has(name), `${name} would be doubled`).toBe(false);
      this.add('append', new Set([...this.held, name]), { [SOURCE_FILE_PROPERTY]: name }, properties);
    }
    const head = headOf(this.metadata);
    if (head === null) return;
    const properties = { ...this.metadata.properties, ...landedFiles(this.metadata).vouched(head) };
    this.metadata = { ...this.metadata, properties };
  }

  /** Keeps the newest `keep` snapshots of main, and of the others none. */
  expire(keep: number): void {
    const byId = new Map(this.metadata.snapshots.map((s) => [s['snapshot-id'], s]));
    const kept = new Set<bigint>();
    let at = headOf(this.metadata)?.snapshotId;
    while (at !== undefined && kept.size < keep && byId.has(at)) {
      kept.add(at);
      at = byId.get(at)?.['parent-snapshot-id'];
    }
    const snapshots = this.metadata.snapshots.filter((s) => kept.has(s['snapshot-id']));
    this.metadata = { ...this.metadata, snapshots };
  }
}

type Step =
  | { readonly do: 'run'; readonly files: readonly string[] }
  | { readonly do: 'fence' | 'delete' }
  | { readonly do: 'set-main'; readonly to: number }
  | { readonly do: 'expire'; readonly keep: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('run' as const), files: fc.subarray(FILES) }),
  fc.record({ do: fc.constantFrom('fence' as const, 'delete' as const) }),
  fc.record({ do: fc.constant('set-main' as const), to: fc.nat(20) }),
  fc.record({ do: fc.constant('expire' as const), keep: fc.integer({ min: 1, max: 4 }) }),
);

function play(table: BronzeModel, one: Step): void {
  if (one.do === 'run') table.run(one.files);
  else if (one.do === 'expire') table.expire(one.keep);
  else if (one.do === 'set-main') {
    const { snapshots } = table.metadata;
    const target = snapshots[one.to % Math.max(1, snapshots.length)];
    if (target !== undefined) table.setMain(target['snapshot-id']);
  } else if (table.metadata.snapshots.length > 0) {
    table.add(one.do === 'fence' ? 'replace' : 'delete', table.held);
  }
}

describe('what has landed', () => {
  it('is never taken for waiting, nor what was rolled back for landed, whatever fences, rewrites and expiry do', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const table = new BronzeModel();
        for (const one of steps) {
          play(table, one);
          for (const name of FILES) {
            const { status } = landedFiles(table.metadata).of(name);
            if (status !== 'unknown')
              expect([name, status === 'landed']).toEqual([name, table.held.has(name)]);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('is known for ever as long as runs come between: moves and expiry alone leave nothing unknown', () => {
    const table = new BronzeModel();
    table.run(FILES);
    for (let month = 0; month < 12; month++) {
      table.add('replace', table.held);
      table.add('replace', table.held);
      table.run([]);
      table.add('delete', table.held);
      table.expire(1);
      expect(FILES.map((name) => landedFiles(table.metadata).of(name).status)).toEqual(
        FILES.map(() => 'landed'),
      );
      table.run([]);
    }
  });

  it('knows a landing again that was cherry-picked back, and lands one again that a fence hides', () => {
    const table = new BronzeModel();
    table.run(['a.csv']);
    const first = table.metadata.snapshots.at(-1)!;
    table.run(['b.csv']);
    const second = table.metadata.snapshots.at(-1)!;
    table.setMain(first['snapshot-id']);
    table.add('replace', table.held, { 'lake.relocation-id': 'r' });
    expect(landedFiles(table.metadata).of('b.csv').status).toBe('waiting');
    table.add('append', new Set(['a.csv', 'b.csv']), { 'source-snapshot-id': String(second['snapshot-id']) });
    expect(landedFiles(table.metadata).of('b.csv').status).toBe('landed');
  });

  it('takes what an earlier version remembered for unknown, not for new', () => {
    const table = new BronzeModel();
    table.add('append', new Set(['a.csv']));
    const text = `1 1 ${bytes.sha256}`;
    table.metadata = { ...table.metadata, properties: { 'lake.source.a.csv': text } };
    expect(landedFiles(table.metadata).of('a.csv')).toMatchObject({ status: 'unknown', bytes });
  });
});

describe('modelState', () => {
  it('holds only while main descends from what was published', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const table = new BronzeModel();
        table.add('append', new Set(['published']));
        const state = { model: 'm', inputs: {}, published: headOf(table.metadata) };
        table.metadata = { ...table.metadata, properties: { [STATE_PROPERTY]: stateOf(state) } };
        table.add('append', new Set(['published']));
        for (const one of steps) {
          play(table, one.do === 'set-main' ? { ...one, to: one.to + 1 } : one);
          if (!table.held.has('published')) expect(modelState(table.metadata)).toBeNull();
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is forgotten after a rollback that a tier move has fenced', () => {
    const table = new BronzeModel();
    table.add('append', new Set());
    const before = headOf(table.metadata)!;
    table.add('append', new Set(['published']));
    const state = { model: 'm', inputs: { 'bronze.a': '7' }, published: headOf(table.metadata) };
    table.metadata = { ...table.metadata, properties: { [STATE_PROPERTY]: stateOf(state) } };
    expect(modelState(table.metadata)).toEqual(state);
    table.setMain(before.snapshotId);
    expect(modelState(table.metadata)).toBeNull();
    table.add('replace', new Set(), { 'lake.relocation-id': 'r' });
    expect(modelState(table.metadata)).toBeNull();
  });
});
