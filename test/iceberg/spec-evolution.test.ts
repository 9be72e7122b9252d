import { expect, it } from 'vitest';
import { buildPartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { evolveSpec, type SpecChange } from '../../src/iceberg/spec-evolution.ts';
import {
  currentSchema,
  defaultSpec,
  newTableMetadata,
  type TableMetadata,
} from '../../src/iceberg/table-metadata.ts';
import { applyUpdates } from '../../src/iceberg/updates.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'ts', required: false, type: 'timestamp' },
  ],
};

function changed(metadata: TableMetadata, change: Partial<SpecChange>): TableMetadata {
  const spec = evolveSpec(metadata, currentSchema(metadata), { add: [], drop: [], ...change });
  return applyUpdates(
    metadata,
    [
      { action: 'add-spec', spec },
      { action: 'set-default-spec', 'spec-id': -1 },
    ],
    { nowMs: 1 },
  );
}

const start = (formatVersion: number): TableMetadata =>
  newTableMetadata({
    schema: SCHEMA,
    spec: buildPartitionSpec(SCHEMA, [{ source: 'ts', transform: 'day' }]),
    location: 'file:///t',
    uuid: 'c6b64c4b-1b3a-4b47-8f2d-3f6f0fb4d7a1',
    nowMs: 1,
    formatVersion,
  });
const fields = (metadata: TableMetadata): string[] =>
  defaultSpec(metadata).fields.map((field) => `${field['field-id']} ${field.name} ${field.transform}`);

it('gives a field that comes back its id again, and ids to no two meanings', () => {
  const bucketed = changed(start(2), { add: [{ source: 'id', transform: 'bucket[4]' }], drop: ['ts_day'] });
  expect(fields(bucketed)).toEqual(['1001 id_bucket bucket[4]']);
  const back = changed(bucketed, { add: [{ source: 'ts', transform: 'day' }] });
  expect(fields(back)).toEqual(['1001 id_bucket bucket[4]', '1000 ts_day day']);
  expect(changed(back, { drop: ['id_bucket'] })['default-spec-id']).toBe(0);
  const finer = changed(back, { add: [{ source: 'ts', transform: 'hour' }], drop: ['ts_day'] });
  expect(fields(finer)).toEqual(['1001 id_bucket bucket[4]', '1002 ts_hour hour']);
});

it('keeps the places of fields in v1, where files tell them by position', () => {
  const v1 = changed(start(1), { add: [{ source: 'id', transform: 'identity' }], drop: ['ts_day'] });
  expect(fields(v1)).toEqual(['1000 ts_day void', '1001 id identity']);
});

it('refuses the same field twice and knows near names', () => {
  expect(() => changed(start(2), { add: [{ source: 'ts', transform: 'day' }] })).toThrow(
    expect.objectContaining({ kind: 'invalid-argument' }),
  );
  expect(() => changed(start(2), { drop: ['ts_dya'] })).toThrow(
    expect.objectContaining({ hint: 'Did you mean ts_day?' }),
  );
});
