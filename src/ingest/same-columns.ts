import { stringifyJson } from '../iceberg/json.ts';
import type { Schema } from '../iceberg/schema.ts';

/** True if two schemas have the same columns: ids, names, types and whether they are required, in the same order. */
export function sameColumns(a: Schema, b: Schema): boolean {
  const columns = (schema: Schema): string =>
    stringifyJson(schema.fields.map(({ id, name, required, type }) => ({ id, name, required, type })));
  return columns(a) === columns(b);
}
