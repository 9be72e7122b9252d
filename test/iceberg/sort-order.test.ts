import { describe, expect, it } from 'vitest';
import type { Schema } from '../../src/iceberg/schema.ts';
import { buildSortOrder, UNSORTED, validateSortOrder } from '../../src/iceberg/sort-order.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'ts', required: false, type: 'timestamp' },
  ],
};

describe('sort order', () => {
  it('puts nulls lowest unless told otherwise', () => {
    const order = buildSortOrder(schema, [
      { source: 'ts', transform: 'day' },
      { source: 'id', direction: 'desc' },
      { source: 'ts', direction: 'desc', nullOrder: 'nulls-first' },
    ]);
    expect(order['order-id']).toBe(1);
    expect(order.fields.map((field) => Object.values(field))).toEqual([
      ['day', 2, 'asc', 'nulls-first'],
      ['identity', 1, 'desc', 'nulls-last'],
      ['identity', 2, 'desc', 'nulls-first'],
    ]);
  });

  it('keeps id 0 for the order without fields', () => {
    expect(buildSortOrder(schema, [])).toBe(UNSORTED);
    expect(() => buildSortOrder(schema, [{ source: 'id' }], 0)).toThrow(/order id 0/);
    expect(() => validateSortOrder({ 'order-id': 2, fields: [] }, schema)).toThrow(/order id 0/);
  });

  it('refuses columns and transforms that do not fit', () => {
    expect(() => buildSortOrder(schema, [{ source: 'tss' }])).toThrow(/no column tss/);
    expect(() => buildSortOrder(schema, [{ source: 'id', transform: 'hour' }])).toThrow(/hour of column id/);
  });
});
