import { LakeError } from '../errors.ts';
import type { NestedField, Type } from '../iceberg/types.ts';
import { quoteName } from './sql-text.ts';

const PRIMITIVES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  timestamp_ns: 'TIMESTAMP_NS',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
};

/** The DuckDB type of an Iceberg type, nested ones by the names of their fields. Errors: `unsupported`. */
export function duckDbType(type: Type): string {
  if (typeof type === 'string') {
    const known = PRIMITIVES[type];
    if (known !== undefined) return known;
    const decimal = /^decimal\((\d+),\s*(\d+)\)$/.exec(type);
    if (decimal) return `DECIMAL(${decimal[1]}, ${decimal[2]})`;
    if (type.startsWith('fixed[')) return 'BLOB';
    throw new LakeError('unsupported', `The embedded engine has no type for Iceberg's ${type}`, {
      hint: 'Leave the column out, or read the table with another engine.',
    });
  }
  if (type.type === 'struct') {
    return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${duckDbType(field.type)}`).join(', ')})`;
  }
  if (type.type === 'list') return `${duckDbType(type.element)}[]`;
  return `MAP(${duckDbType(type.key)}, ${duckDbType(type.value)})`;
}

function nestedIds(id: number, type: Type): string {
  if (typeof type === 'string') return String(id);
  const own = `__duckdb_field_id: ${id}`;
  if (type.type === 'struct') return `{${[own, ...type.fields.map(fieldIdEntry)].join(', ')}}`;
  if (type.type === 'list') return `{${own}, element: ${nestedIds(type['element-id'], type.element)}}`;
  return `{${own}, key: ${nestedIds(type['key-id'], type.key)}, value: ${nestedIds(type['value-id'], type.value)}}`;
}

const fieldIdEntry = (field: NestedField): string =>
  `${quoteName(field.name)}: ${nestedIds(field.id, field.type)}`;

/** The FIELD_IDS option of COPY for these columns, nested ids included. */
export const fieldIdsOption = (fields: readonly NestedField[]): string =>
  `{${fields.map(fieldIdEntry).join(', ')}}`;
