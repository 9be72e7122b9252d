import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildPartitionSpec,
  type PartitionSpec,
  partitionKey,
  partitionPath,
  partitionText,
  partitionType,
  UNPARTITIONED,
  validateSpec,
} from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Value } from '../../src/iceberg/types.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'ts', required: false, type: 'timestamp' },
    { id: 3, name: 'carrier', required: false, type: 'string' },
    {
      id: 4,
      name: 'origin',
      required: false,
      type: { type: 'struct', fields: [{ id: 5, name: 'state', required: false, type: 'string' }] },
    },
    {
      id: 6,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 7, 'element-required': false, element: 'string' },
    },
  ],
};

const spec = buildPartitionSpec(schema, [
  { source: 'ts', transform: 'day' },
  { source: 'carrier', transform: 'identity' },
]);

describe('partition spec', () => {
  it('names and numbers fields as Iceberg does', () => {
    const built = buildPartitionSpec(
      schema,
      [
        { source: 'ts', transform: 'day' },
        { source: 'id', transform: 'bucket[16]' },
        { source: 'carrier', transform: 'truncate[2]' },
        { source: 'origin.state', transform: 'identity' },
        { source: 'ID', transform: 'truncate[10]', name: 'block' },
      ],
      3,
      1004,
    );
    expect(built['spec-id']).toBe(3);
    expect(
      built.fields.map((field) => [field['source-id'], field['field-id'], field.name, field.transform]),
    ).toEqual([
      [2, 1005, 'ts_day', 'day'],
      [1, 1006, 'id_bucket', 'bucket[16]'],
      [3, 1007, 'carrier_trunc', 'truncate[2]'],
      [5, 1008, 'origin.state', 'identity'],
      [1, 1009, 'block', 'truncate[10]'],
    ]);
    expect(partitionType(built, schema).fields.map(({ id, type }) => [id, type])).toEqual([
      [1005, 'date'],
      [1006, 'int'],
      [1007, 'string'],
      [1008, 'string'],
      [1009, 'long'],
    ]);
  });

  it('shows partitions as day=2001-01-05/x=a', () => {
    expect(partitionText(spec, schema, [11327, 'a b/ü'])).toBe('ts_day=2001-01-05/carrier=a b/ü');
    expect(partitionText(spec, schema, [null, null])).toBe('ts_day=null/carrier=null');
    expect(partitionText(UNPARTITIONED, schema, [])).toBe('');
  });

  it('still reads partitions whose column was dropped', () => {
    const dropped: PartitionSpec = {
      'spec-id': 1,
      fields: [
        { 'source-id': 99, 'field-id': 1000, name: 'gone', transform: 'void' },
        { 'source-id': 98, 'field-id': 1001, name: 'gone_day', transform: 'day' },
        { 'source-id': 97, 'field-id': 1002, name: 'gone_too', transform: 'identity' },
      ],
    };
    expect(partitionType(dropped, schema).fields.map(({ type }) => type)).toEqual([
      'string',
      'date',
      'string',
    ]);
    expect(partitionText(dropped, schema, [null, 11327, 'x'])).toBe('gone_day=2001-01-05/gone_too=x');
  });

  it('makes paths as Java does: no value can leave its folder', () => {
    expect(partitionPath(spec, schema, [11327, "a b/../ü~!*'()%=."])).toBe(
      'ts_day=2001-01-05/carrier=a+b%2F..%2F%C3%BC%7E%21*%27%28%29%25%3D.',
    );
    expect(partitionPath(spec, schema, [null, ''])).toBe('ts_day=null/carrier=');
    const long = partitionPath(spec, schema, [1, 'ü'.repeat(300)]).split('/')[1] ?? '';
    expect(long.length).toBeLessThanOrEqual(200);
    expect(() => decodeURIComponent(long.replace(/(%C3)$/, ''))).not.toThrow();
    const folder = /^ts_day=[\w.+*%-]+\/carrier=[\w.+*%-]*$/;
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) =>
        folder.test(partitionPath(spec, schema, [5, text])),
      ),
    );
  });

  it('has one key for each tuple and no other, before and after int became long', () => {
    expect(partitionKey([5, 'a'])).toBe(partitionKey([5n, 'a']));
    const different: Value[][] = [
      [],
      [null],
      ['null'],
      ['5'],
      [5],
      [0],
      [-0],
      [Number.NaN],
      ['NaN'],
      [true],
      ['true'],
      [''],
      [Uint8Array.of()],
      [Uint8Array.of(1)],
      ['b01'],
      ['a', 'b'],
      ['a","b'],
      ['a\nb'],
    ];
    expect(new Set(different.map(partitionKey)).size).toBe(different.length);
  });

  it.each([
    ['an unknown column', [{ source: 'carier', transform: 'identity' }], /no column carier/],
    [
      'a transform that does not take the type',
      [{ source: 'id', transform: 'day' }],
      /day does not take long/,
    ],
    ['an unknown transform', [{ source: 'id', transform: 'zorder' }], /not known/],
    ['a column in a list', [{ source: 'tags.element', transform: 'identity' }], /list or map/],
    ["a column's name", [{ source: 'id', transform: 'bucket[4]', name: 'carrier' }], /same name/],
    [
      'two fields of a name',
      [
        { source: 'id', transform: 'bucket[4]', name: 'b' },
        { source: 'carrier', transform: 'bucket[4]', name: 'b' },
      ],
      /taken/,
    ],
    [
      'day and month of one column',
      [
        { source: 'ts', transform: 'day' },
        { source: 'ts', transform: 'month' },
      ],
      /same way/,
    ],
  ])('refuses %s', (_, requests, message) => {
    expect(() => buildPartitionSpec(schema, requests)).toThrow(message);
  });

  it('takes several void fields, which v1 tables keep for dropped ones', () => {
    const fields = [1000, 1001].map((id) => ({
      'source-id': 2,
      'field-id': id,
      name: `void_${id}`,
      transform: 'void',
    }));
    expect(() => validateSpec({ 'spec-id': 1, fields }, schema)).not.toThrow();
  });
});
