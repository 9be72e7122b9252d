import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnName, fieldsById, findField, type Schema } from '../../src/iceberg/schema.ts';
import { canPromote, evolveSchema, type SchemaChange } from '../../src/iceberg/schema-evolution.ts';

const base: Schema = {
  type: 'struct',
  'schema-id': 3,
  'identifier-field-ids': [1],
  fields: [
    { id: 1, name: 'id', required: true, type: 'int' },
    { id: 2, name: 'price', required: true, type: 'decimal(9,2)' },
    { id: 3, name: 'delay', required: false, type: 'float' },
    {
      id: 4,
      name: 'legs',
      required: false,
      type: {
        type: 'list',
        'element-id': 5,
        'element-required': true,
        element: { type: 'struct', fields: [{ id: 6, name: 'from', required: true, type: 'string' }] },
      },
    },
    {
      id: 7,
      name: 'rates',
      required: false,
      type: {
        type: 'map',
        'key-id': 8,
        key: { type: 'struct', fields: [{ id: 9, name: 'code', required: true, type: 'string' }] },
        'value-id': 10,
        'value-required': true,
        value: 'int',
      },
    },
  ],
};

const evolve = (...changes: SchemaChange[]) => evolveSchema(base, 10, changes);
const names = (schema: Schema) => schema.fields.map(({ name }) => name);

describe('schema evolution', () => {
  it('never gives an id twice, even where a dropped name comes back', () => {
    const { schema, lastColumnId } = evolve(
      { action: 'drop-column', column: 'delay' },
      { action: 'add-column', name: 'delay', type: 'string' },
    );
    expect(findField(schema, 'delay')).toMatchObject({ id: 11, type: 'string', required: false });
    expect(lastColumnId).toBe(11);
  });

  it('gives what is nested in a new column fresh ids too', () => {
    const { schema, lastColumnId } = evolve({
      action: 'add-column',
      parent: 'legs',
      name: 'via',
      type: { type: 'list', 'element-id': 1, 'element-required': false, element: 'string' },
    });
    expect(columnName(schema, 11)).toBe('legs.element.via');
    expect(columnName(schema, 12)).toBe('legs.element.via.element');
    expect(lastColumnId).toBe(12);
  });

  it('renames and moves without touching ids', () => {
    const { schema } = evolve(
      { action: 'rename-column', column: 'price', to: 'fare' },
      { action: 'move-column', column: 'delay', position: 'first' },
      { action: 'move-column', column: 'id', position: { after: 'legs' } },
      { action: 'move-column', column: 'rates', position: { before: 'fare' } },
      { action: 'rename-column', column: 'legs.element.from', to: 'origin' },
      { action: 'set-doc', column: 'fare', doc: 'in euro' },
    );
    expect(names(schema)).toEqual(['delay', 'rates', 'fare', 'legs', 'id']);
    expect(fieldsById(schema).get(6)?.name).toBe('origin');
    expect(fieldsById(schema).get(2)).toMatchObject({ name: 'fare', doc: 'in euro' });
    expect(schema['schema-id']).toBe(3);
  });

  it('widens as the spec allows, inside lists and maps too', () => {
    const { schema } = evolve(
      { action: 'widen-column', column: 'id', type: 'long' },
      { action: 'widen-column', column: 'price', type: 'decimal(12,2)' },
      { action: 'widen-column', column: 'rates.value', type: 'long' },
      { action: 'make-optional', column: 'rates.value' },
      { action: 'make-optional', column: 'legs.element.from' },
    );
    expect(fieldsById(schema).get(10)).toMatchObject({ type: 'long', required: false });
    expect(fieldsById(schema).get(6)?.required).toBe(false);
  });

  it.each([
    ['int', 'string'],
    ['long', 'int'],
    ['double', 'float'],
    ['int', 'double'],
    ['decimal(9,2)', 'decimal(9,2)'],
    ['decimal(9,2)', 'decimal(12,3)'],
    ['date', 'timestamp'],
  ])('does not read %s as %s', (from, to) => expect(canPromote(from, to)).toBe(false));

  it.each<[string, SchemaChange, RegExp]>([
    [
      'a required column without values',
      { action: 'add-column', name: 'x', type: 'int', required: true },
      /required/,
    ],
    ['a second column of a name', { action: 'add-column', name: 'id', type: 'int' }, /already/],
    [
      'a rename onto another column',
      { action: 'rename-column', column: 'id', to: 'price' },
      /two fields named price/,
    ],
    ['dropping what identifies rows', { action: 'drop-column', column: 'id' }, /identifies rows/],
    ['null in what identifies rows', { action: 'make-optional', column: 'id' }, /identifies rows/],
    ['changes of map keys', { action: 'drop-column', column: 'rates.key.code' }, /map's key/],
    [
      'dropping a list element',
      { action: 'drop-column', column: 'legs.element' },
      /what a list or map holds/,
    ],
    ['a typo', { action: 'drop-column', column: 'dealy' }, /no column dealy/],
    ['an unknown anchor', { action: 'move-column', column: 'id', position: { after: 'x' } }, /no column x/],
    [
      'columns in a primitive',
      { action: 'add-column', parent: 'delay', name: 'x', type: 'int' },
      /delay is a float/,
    ],
  ])('refuses %s', (_, change, message) => expect(() => evolve(change)).toThrow(message));

  it('keeps every surviving id on the column it was given to', () => {
    const change = fc.oneof(
      fc
        .constantFrom('a', 'b', 'c')
        .map((name): SchemaChange => ({ action: 'add-column', name, type: 'int' })),
      fc.constantFrom('a', 'b', 'c').map((column): SchemaChange => ({ action: 'drop-column', column })),
      fc
        .constantFrom('a', 'b', 'c')
        .map((column): SchemaChange => ({ action: 'move-column', column, position: 'first' })),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let state = { schema: base, lastColumnId: 10 };
        const owner = new Map<number, string>();
        for (const one of changes) {
          try {
            state = evolveSchema(state.schema, state.lastColumnId, [one]);
          } catch {
            continue; // A refused change leaves the state as it was.
          }
          for (const [id, { name }] of fieldsById(state.schema)) {
            expect(owner.get(id) ?? name).toBe(name);
            owner.set(id, name);
            expect(id).toBeLessThanOrEqual(state.lastColumnId);
          }
        }
      }),
    );
  });
});
