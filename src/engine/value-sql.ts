import { LakeError } from '../errors.ts';
import { isList, isMap, isStruct, type NestedField, type Type, type Value } from '../iceberg/types.ts';
import { formatValue, valueFromJson } from '../iceberg/values.ts';
import { duckDbType } from './duckdb-types.ts';
import { quoteName, quoteText } from './sql-text.ts';

/** A value of a primitive type as an SQL literal of the engine's type for it. */
export function valueSql(type: Type, value: Value): string {
  if (value === null) return `CAST(NULL AS ${duckDbType(type)})`;
  if (value instanceof Uint8Array) return `unhex('${Buffer.from(value).toString('hex')}')`;
  return `CAST(${quoteText(formatValue(type, value))} AS ${duckDbType(type)})`;
}

/**
 * What rows of files written before a field have in it: its `initial-default`, else null (spec: "Default Values").
 *
 * @param defaults false where the format has no defaults (before v3)
 */
export function initialSql(field: NestedField, defaults: boolean): string {
  return jsonSql(field.type, defaults ? (field['initial-default'] ?? null) : null);
}

/** The spec's JSON form of a value of any type (appendix D) as SQL. */
function jsonSql(type: Type, json: unknown): string {
  if (json === null) return valueSql(type, null);
  if (isStruct(type)) {
    const given = record(json);
    const fields = type.fields.map((field) => {
      const own = given[String(field.id)];
      const sql = own === undefined ? initialSql(field, true) : jsonSql(field.type, own);
      return `${quoteName(field.name)} := ${sql}`;
    });
    return `struct_pack(${fields.join(', ')})`;
  }
  if (isList(type)) return listSql(type.element, json);
  if (isMap(type)) {
    const { keys, values } = record(json);
    return `map(${listSql(type.key, keys)}, ${listSql(type.value, values)})`;
  }
  return valueSql(type, valueFromJson(type, json));
}

function listSql(element: Type, json: unknown): string {
  if (!Array.isArray(json)) throw unexpected();
  return `CAST([${json.map((item) => jsonSql(element, item)).join(', ')}] AS ${duckDbType(element)}[])`;
}

function record(json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw unexpected();
  return { ...json };
}

function unexpected(): LakeError {
  return new LakeError('corrupt', "A column's default in the table's metadata has not the form of its type", {
    hint: 'Read the table with the engine that wrote the metadata. Nothing was read.',
  });
}
