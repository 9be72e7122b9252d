import { describe, expect, it } from 'vitest';
import type { Snapshot, SnapshotOperation } from '../../src/iceberg/snapshot.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { modelState, STATE_PROPERTY, stateOf, tableVersion } from '../../src/pipeline/model-state.ts';

const empty = newTableMetadata({
  schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'x', required: false, type: 'long' }] },
  location: 'memory://t',
  uuid: '5b0b7a6e-6a0c-4c0d-9d0e-000000000001',
  nowMs: 1,
});

function snapshot(id: bigint, operation: SnapshotOperation, parent?: bigint): Snapshot {
  return {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': Number(id),
    'timestamp-ms': 1,
    'manifest-list': 'memory://l',
    summary: { operation },
  };
}

const table = (current: bigint, ...snapshots: Snapshot[]): TableMetadata => ({
  ...empty,
  snapshots,
  'current-snapshot-id': current,
  refs: { main: { type: 'branch', 'snapshot-id': current } },
});

describe('what a model remembers of its inputs', () => {
  it('does not take a tier move (a replace snapshot) for new rows, even when what it replaced has expired', () => {
    const moved = snapshot(3n, 'replace', 2n);
    const again = snapshot(4n, 'replace', 3n);
    expect(tableVersion(table(4n, snapshot(2n, 'append'), moved, again), again)).toBe('2');
    expect(tableVersion(table(4n, moved, again), again)).toBe('2');
    expect(tableVersion(empty, undefined)).toBe('0');
  });

  it('forgets its state when main was rolled back below it, or when the text is foreign', () => {
    const published = { snapshotId: 2n, sequence: 2 };
    const state = stateOf({ model: 'm', inputs: { 'bronze.a': '7' }, published });
    const at = (current: bigint, text: string) => ({
      ...table(current, snapshot(1n, 'append'), snapshot(2n, 'append', 1n)),
      properties: { [STATE_PROPERTY]: text },
    });
    expect(modelState(at(2n, state))?.inputs).toEqual({ 'bronze.a': '7' });
    expect(modelState(at(1n, state))).toBeNull();
    expect(modelState(at(2n, '{"model":1}'))).toBeNull();
    expect(modelState(at(2n, 'no json'))).toBeNull();
  });
});
