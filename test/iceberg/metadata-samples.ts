import type { Schema } from '../../src/iceberg/schema.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../../src/iceberg/updates.ts';

/** Start of the samples' time, ms. */
export const START = 1_700_000_000_000;

export const UUID = '9c12d441-03fe-4693-9a96-a0705ddf69c1';

export const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'ts', required: false, type: 'timestamp' },
  ],
  'identifier-field-ids': [1],
};

export function emptyTable(formatVersion = 2): TableMetadata {
  return newTableMetadata({
    schema: SCHEMA,
    spec: {
      'spec-id': 0,
      fields: [{ 'source-id': 2, 'field-id': 1000, name: 'ts_day', transform: 'day' }],
    },
    location: 'file:///lake/t',
    uuid: UUID,
    nowMs: START,
    formatVersion,
  });
}

/** A snapshot with sequence number `at`, taken `at` seconds after the start. */
export function snapshot(id: bigint, at: number, parent?: bigint): Snapshot {
  return {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': at,
    'timestamp-ms': START + at * 1000,
    'manifest-list': `file:///lake/t/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
  };
}

/** What a commit of a snapshot to a branch sends. */
export function commitOf(added: Snapshot, branch = 'main'): TableUpdate[] {
  return [
    { action: 'add-snapshot', snapshot: added },
    { action: 'set-snapshot-ref', 'ref-name': branch, type: 'branch', 'snapshot-id': added['snapshot-id'] },
  ];
}

/** A table with the snapshots 1, 2, … `count` on main, each by its own commit. */
export function tableWithHistory(count: number, base = emptyTable()): TableMetadata {
  let metadata = base;
  for (let at = 1; at <= count; at++) {
    const added = snapshot(BigInt(at), at, at > 1 ? BigInt(at - 1) : undefined);
    metadata = applyUpdates(metadata, commitOf(added), {
      nowMs: START + at * 1000,
      previousMetadataLocation: `file:///lake/t/metadata/${at - 1}.metadata.json`,
    });
  }
  return metadata;
}
