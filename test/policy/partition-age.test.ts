import { expect, test } from 'vitest';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Value } from '../../src/iceberg/types.ts';
import { isAged, partitionEndMs } from '../../src/policy/partition-age.ts';

function endOf(type: string, transform: string, value: Value, timezone: string): string | null {
  const schema: Schema = {
    type: 'struct',
    'schema-id': 0,
    fields: [{ id: 1, name: 't', required: false, type }],
  };
  const spec: PartitionSpec = {
    'spec-id': 0,
    fields: [{ 'source-id': 1, 'field-id': 1000, name: 't_part', transform }],
  };
  const end = partitionEndMs(spec, schema, [value], timezone);
  return end === null ? null : new Date(end).toISOString();
}

const JAN_5 = 11_327; // 2001-01-05

test('a day ends at the next midnight: in UTC for instants, on the lake’s clock otherwise', () => {
  expect(endOf('timestamptz', 'day', JAN_5, 'Europe/Berlin')).toBe('2001-01-06T00:00:00.000Z');
  expect(endOf('timestamp', 'day', JAN_5, 'Europe/Berlin')).toBe('2001-01-05T23:00:00.000Z');
  expect(endOf('date', 'identity', JAN_5, 'America/New_York')).toBe('2001-01-06T05:00:00.000Z');
  expect(endOf('date', 'day', JAN_5, 'UTC')).toBe('2001-01-06T00:00:00.000Z');
});

test('the clock changes of a zone count', () => {
  const march25 = 11_406; // 2001-03-25: Berlin goes from +01:00 to +02:00 that night
  expect(endOf('date', 'day', march25 - 1, 'Europe/Berlin')).toBe('2001-03-24T23:00:00.000Z');
  expect(endOf('date', 'day', march25, 'Europe/Berlin')).toBe('2001-03-25T22:00:00.000Z');
});

test('before 1970, months and years', () => {
  expect(endOf('timestamptz', 'month', -1, 'UTC')).toBe('1970-01-01T00:00:00.000Z');
  expect(endOf('date', 'year', 31, 'UTC')).toBe('2002-01-01T00:00:00.000Z');
  expect(endOf('timestamptz', 'day', null, 'UTC')).toBeNull();
});

test('a bucket of a time tells no time', () => {
  expect(endOf('date', 'bucket[8]', 3, 'UTC')).toBeNull();
  const schema: Schema = {
    type: 'struct',
    'schema-id': 0,
    fields: [{ id: 1, name: 't', required: false, type: 'date' }],
  };
  expect(isAged({ 'spec-id': 0, fields: [] }, schema)).toBe(false);
});
