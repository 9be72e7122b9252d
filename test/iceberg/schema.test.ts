import { describe, expect, it } from 'vitest';
import {
  assignFreshIds,
  columnName,
  fieldsById,
  findField,
  highestFieldId,
  nearestName,
  type Schema,
  validateSchema,
} from '../../src/iceberg/schema.ts';
import { decimalParameters, fixedLength, type NestedField, validateType } from '../../src/iceberg/types.ts';

const nested: Schema = {
  type: 'struct',
  'schema-id': 0,
  'identifier-field-ids': [10],
  fields: [
    { id: 10, name: 'id', required: true, type: 'long' },
    {
      id: 20,
      name: 'stops',
      required: false,
      type: {
        type: 'list',
        'element-id': 21,
        'element-required': true,
        element: {
          type: 'struct',
          fields: [{ id: 22, name: 'airport', required: true, type: 'string' }],
        },
      },
    },
    {
      id: 30,
      name: 'tags',
      required: false,
      type: {
        type: 'map',
        'key-id': 31,
        key: 'string',
        'value-id': 32,
        'value-required': false,
        value: 'int',
      },
    },
    { id: 40, name: 'note', required: false, type: 'string' },
  ],
};

function withFields(...fields: NestedField[]): Schema {
  return { type: 'struct', 'schema-id': 0, fields };
}

describe('schema', () => {
  it('finds fields inside lists and maps by id and by dotted name', () => {
    expect([...fieldsById(nested).keys()]).toEqual([10, 20, 21, 22, 30, 31, 32, 40]);
    expect(fieldsById(nested).get(32)).toEqual({ id: 32, name: 'value', required: false, type: 'int' });
    expect(columnName(nested, 22)).toBe('stops.element.airport');
    expect(findField(nested, 'stops.element.airport')?.id).toBe(22);
    expect(findField(nested, 'STOPS.element.Airport')).toBeNull();
    expect(findField(nested, 'STOPS.element.Airport', { caseSensitive: false })?.id).toBe(22);
    expect(highestFieldId(nested)).toBe(40);
  });

  it('refuses to guess between columns that differ in case only', () => {
    const schema = withFields(
      { id: 1, name: 'a', required: false, type: 'int' },
      { id: 2, name: 'A', required: false, type: 'int' },
    );
    expect(findField(schema, 'A', { caseSensitive: false })?.id).toBe(2);
    const upper = withFields(
      { id: 1, name: 'aB', required: false, type: 'int' },
      { id: 2, name: 'Ab', required: false, type: 'int' },
    );
    expect(() => findField(upper, 'ab', { caseSensitive: false })).toThrow(/ambiguous: aB, Ab/);
  });

  it('numbers a new table as Java does: a level first, then what is nested in it', () => {
    const { schema, lastColumnId } = assignFreshIds(nested, 1);
    expect([...fieldsById(schema)].map(([id, { name }]) => [id, name])).toEqual([
      [1, 'id'],
      [2, 'stops'],
      [5, 'element'],
      [6, 'airport'],
      [3, 'tags'],
      [7, 'key'],
      [8, 'value'],
      [4, 'note'],
    ]);
    expect(lastColumnId).toBe(8);
    expect(schema['identifier-field-ids']).toEqual([1]);
  });

  it('finds two fields whose clients gave them the same id', () => {
    const field: NestedField = { id: 1, name: 'a', required: false, type: 'int' };
    expect(() => validateSchema(withFields(field, { ...field, name: 'b' }))).toThrow(
      /a and b have the same id 1/,
    );
    expect(() => validateSchema(withFields(field, { ...field, id: 2 }))).toThrow(/two fields named a/);
    expect(() => validateSchema(withFields({ ...field, id: 2147483546 }))).toThrow(/outside/);
    expect(() => validateSchema(nested)).not.toThrow();
  });

  it('refuses identifier fields that can be null, repeated or NaN', () => {
    const identified = (id: number): Schema => ({ ...nested, 'identifier-field-ids': [id] });
    expect(() => validateSchema(identified(40))).toThrow(/may be null/);
    expect(() => validateSchema(identified(22))).toThrow(/null|list/);
    expect(() => validateSchema(identified(99))).toThrow(/not in the schema/);
    const float = withFields({ id: 1, name: 'f', required: true, type: 'double' });
    expect(() => validateSchema({ ...float, 'identifier-field-ids': [1] })).toThrow(/floating point/);
  });

  it('reads type parameters with or without white space and names unknown types', () => {
    expect(decimalParameters('decimal(9,2)')).toEqual({ precision: 9, scale: 2 });
    expect(decimalParameters('decimal( 38 , 10 )')).toEqual({ precision: 38, scale: 10 });
    expect(fixedLength('fixed[16]')).toBe(16);
    expect(() => validateType('decimal(39,0)')).toThrow(/1 to 38/);
    expect(() => validateType('varchar')).toThrow(/varchar is not a primitive type/);
    expect(() => validateType('geometry(srid:4326)')).not.toThrow();
  });

  it('suggests near names only', () => {
    expect(nearestName('DELAY', ['delay', 'distance'])).toBe('delay');
    expect(nearestName('distnace', ['delay', 'distance'])).toBe('distance');
    expect(nearestName('ts', ['delay', 'distance', 'id'])).toBeNull();
    expect(nearestName('x', [])).toBeNull();
  });
});
